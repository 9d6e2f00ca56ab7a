"""Download of models from the hub, and the one door for a name that may be a directory or an id.

The hub is asked for names and sizes first; then named files are fetched (JSON, vocabulary and safetensors, never a pickle,
never code), and the model is loaded as a directory is, so there is one way to load and one set of errors. A hub that says
nothing is given up after `SILENCE_S`, a download that does not get on after `STALL_S`; then the local cache is used, if it
holds the whole model.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, constants, get_hf_file_metadata, hf_hub_download, hf_hub_url

from mtdemo.errors import CheckpointError, CheckpointNotFoundError, InvalidCheckpointError, ModelTooLargeError
from mtdemo.models.checkpoints import check_size, load_directory, read_config
from mtdemo.models.loaded import LoadedModel
from mtdemo.models.repository.cache import bytes_of, find_whole, keep_room, remember_public
from mtdemo.models.repository.fetching import explain, is_silence, run_within
from mtdemo.models.repository.files import CONFIG, describe_others, is_weights, needed_files
from mtdemo.models.repository.ids import HubId, read_hub_id
from mtdemo.models.repository.together import is_put_together, read_parts, refuse_to_train
from mtdemo.results import ProgressCallback, no_progress

SILENCE_S = 20.0  # for the first answer
STALL_S = 45.0  # without a byte


def load_model(id_or_directory: str, max_bytes: int | None = None, plain_mean: bool = False) -> LoadedModel:
    """Load a directory, or a model of the hub.

    The command line does so, with the login of whoever calls it; a page that strangers use takes names for ids of the hub
    alone.

    Args:
        id_or_directory: where the model is.
        max_bytes: the most that is downloaded, and the most memory that its weights may take.
        plain_mean: as for `load_directory`.

    Raises:
        CheckpointError: one of its kinds, each naming what was looked for.
    """
    parts = read_parts(id_or_directory) if is_put_together(id_or_directory) else None
    if parts is not None:
        raise refuse_to_train(id_or_directory, parts)
    if is_directory_name(id_or_directory):
        return load_directory(Path(id_or_directory).expanduser(), max_bytes, id_or_directory, plain_mean)
    directory = download(id_or_directory, max_bytes, with_login=True)
    return load_directory(directory, max_bytes, id_or_directory.strip(), plain_mean)


def is_directory_name(id_or_directory: str) -> bool:
    """Tell a directory from an id of the hub.

    A name is one of a directory where that exists, and where it can be neither an id nor those of models put together.
    """
    if is_put_together(id_or_directory):
        return False
    looks_like_path = id_or_directory.startswith((".", "/", "~")) or read_hub_id(id_or_directory) is None
    return looks_like_path or Path(id_or_directory).is_dir()


def download(
    hub_id: str,
    max_bytes: int | None = None,
    with_login: bool = False,
    max_disk_bytes: int | None = None,
    progress: ProgressCallback = no_progress,
) -> Path:
    """Bring a model of the hub into the local cache.

    Args:
        hub_id: `name` or `owner/name`, maybe with `@revision`, or the address of its page. It is never taken for a path.
        max_bytes: the most that is downloaded, and the most memory that its weights may take.
        with_login: whether a login of this machine (HF_TOKEN) may be used, which opens what is private. Without it a silent
            hub opens only what came without one before.
        max_disk_bytes: the most that all models may take on the disk that came without a login; any number by default.
        progress: told of the bytes that have come, and of those of the whole model.

    Returns:
        The directory to load it from.

    Raises:
        CheckpointNotFoundError: the id is malformed, the hub has no such model, or it asks for a login.
        HubUnreachableError: no answer, and nothing in the cache; or nothing can be kept here.
        InvalidCheckpointError, ModelTooLargeError: its files cannot be used, or are too large.
    """
    wanted = read_hub_id(hub_id)
    if wanted is None:
        raise CheckpointNotFoundError(
            f"{hub_id!r} is not a model id. Write 'name' or 'owner/name', as on the hub: bert-base-uncased, for instance."
        )
    name = hub_id.strip()
    try:
        root = _Download(wanted, name, None if with_login else False, progress).fetch(max_bytes, max_disk_bytes)
    except CheckpointError:
        raise
    except Exception as error:  # of the hub's client, the network libraries under it, Xet, or the disk
        cached = find_whole(wanted, public_only=not with_login) if is_silence(error) else None
        if cached is None:
            raise explain(error, name) from error
        return cached
    if not with_login:
        remember_public(wanted, root)
    return root


class _Download:
    """One download of a repository.

    Args:
        wanted: the repository.
        name: as the person wrote it.
        token: False for none, None for that of this machine.
        progress: told of bytes done and bytes in all.
    """

    def __init__(self, wanted: HubId, name: str, token: bool | None, progress: ProgressCallback) -> None:
        self._wanted, self._name, self._token, self._progress = wanted, name, token, progress
        self._n_before = self._n_bytes = 0
        self._api = HfApi(endpoint=constants.ENDPOINT, token=token)

    def fetch(self, max_bytes: int | None, max_disk_bytes: int | None) -> Path:
        sizes = run_within(SILENCE_S, self._sizes)
        files = needed_files(sizes)
        self._check_contents(sizes, files)
        total = sum(sizes[file] for file in files)
        if max_bytes is not None and total > max_bytes:
            raise ModelTooLargeError(
                f"{self._name!r} would be a download of {total / 1e9:.1f} GB; {max_bytes / 1e9:.1f} GB are allowed. Choose "
                "a smaller model, or raise MTDEMO_MAX_MODEL_BYTES."
            )
        is_bounded = max_disk_bytes is not None and self._token is False
        with keep_room(self._wanted, total, max_disk_bytes or 0) if is_bounded else nullcontext():
            return self._bring_all(files, total, max_bytes)

    def _bring_all(self, files: list[str], total: int, max_bytes: int | None) -> Path:
        self._n_before, self._n_bytes = bytes_of(self._wanted), total
        root, revision = self._root(files[0])
        for file in [file for file in files[1:] if not is_weights(file)]:
            self._bring(file, revision)
        check_size(read_config(root, self._name), self._name, max_bytes)
        for file in filter(is_weights, files):
            self._bring(file, revision)
        return root

    def _sizes(self) -> dict[str, int]:
        """Ask for the names and sizes of all files."""
        info = self._api.model_info(
            self._wanted.name, revision=self._wanted.revision, files_metadata=True, timeout=SILENCE_S / 2
        )
        siblings = info.siblings or []
        return {each.rfilename: self._size(each.rfilename) if each.size is None else each.size for each in siblings}

    def _size(self, file: str) -> int:
        if not needed_files([file]):
            return 0
        url = hf_hub_url(self._wanted.name, file, revision=self._wanted.revision, endpoint=constants.ENDPOINT)
        return get_hf_file_metadata(url, token=self._token, timeout=SILENCE_S / 2).size or 0

    def _check_contents(self, names: Any, files: list[str]) -> None:
        if not any(file.rpartition("/")[2] == CONFIG for file in files):
            raise CheckpointNotFoundError(
                f"{self._name!r} is no model for transformers: it has no config.json.{describe_others(names)}"
            )
        if not any(map(is_weights, files)):
            raise InvalidCheckpointError(
                f"{self._name!r} has no weights that can be loaded here (model.safetensors).{describe_others(names)}"
            )

    def _root(self, first: str) -> tuple[Path, str]:
        """Bring the first file, which names the commit."""
        path = self._bring(first, self._wanted.revision)
        root = path.parents[first.count("/")]
        return root, root.name

    def _bring(self, file: str, revision: str | None) -> Path:
        work = partial(
            hf_hub_download,
            self._wanted.name,
            file,
            revision=revision,
            token=self._token,
            cache_dir=constants.HF_HUB_CACHE,
            endpoint=constants.ENDPOINT,
        )
        return Path(run_within(STALL_S, work, self._measure))

    def _measure(self) -> int:
        """Count the bytes that have come, and tell of them."""
        n_bytes = bytes_of(self._wanted)
        self._progress("downloading", min(max(0, n_bytes - self._n_before), self._n_bytes), self._n_bytes)
        return n_bytes
