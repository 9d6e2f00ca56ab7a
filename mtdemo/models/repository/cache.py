"""The local cache of the hub: what is whole in it, and what was given to anybody."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from huggingface_hub import constants, snapshot_download
from huggingface_hub.file_download import repo_folder_name

from mtdemo.errors import ModelTooLargeError
from mtdemo.models.repository.files import CONFIG
from mtdemo.models.repository.ids import HubId

_PUBLIC = "public_revisions"  # a file beside the snapshots of what visitors chose: the commits that came without a login
_room = threading.Lock()
_coming: dict[Path, int] = {}  # bytes of what is being downloaded for visitors


def bytes_of(wanted: HubId) -> int:
    """Count the bytes that have come of a repository."""
    return _bytes_in(_folder(wanted))


def find_whole(wanted: HubId, public_only: bool) -> Path | None:
    """Find a whole model, without asking the hub.

    Args:
        wanted: the repository.
        public_only: whether it must have come without a login once, as strangers may have it.
    """
    try:
        root = Path(
            snapshot_download(
                wanted.name, revision=wanted.revision, cache_dir=constants.HF_HUB_CACHE, local_files_only=True
            )
        )
    except (OSError, ValueError):  # it is not there, or not readable
        return None
    folders = {path.parent for path in root.rglob(CONFIG) if (path.parent / "tokenizer_config.json").exists()}
    is_allowed = not public_only or root.name in _read_public(_folder(wanted))
    return root if is_allowed and any(_is_whole(folder) for folder in folders) else None


def remember_public(wanted: HubId, snapshot: Path) -> None:
    """Note that a commit came without a login."""
    folder = _folder(wanted)
    commits = _read_public(folder)
    if snapshot.name not in commits:
        try:
            (folder / _PUBLIC).write_text("\n".join([*commits, snapshot.name]), encoding="utf-8")
        except OSError:  # a cache that cannot be written: strangers wait for the hub then
            return


@contextmanager
def keep_room(wanted: HubId, n_bytes: int, max_bytes: int) -> Iterator[None]:
    """Keep room on the disk while visitors' models are downloaded.

    What was interrupted counts as well, by the bytes that have come; what is coming counts as if it were whole.

    Args:
        wanted: the repository.
        n_bytes: of all its files.
        max_bytes: the most that all models which visitors chose may take.

    Raises:
        ModelTooLargeError: there is no room.
    """
    folder = _folder(wanted)
    with _room:
        others = {path.parent for path in Path(constants.HF_HUB_CACHE).glob(f"models--*/{_PUBLIC}")} - {folder}
        taken = sum(max(_bytes_in(other), _coming.get(other, 0)) for other in others)
        if taken + n_bytes > max_bytes:
            raise ModelTooLargeError(
                f"{wanted.name!r} is a download of {n_bytes / 1e9:.1f} GB, and models that visitors chose take "
                f"{taken / 1e9:.1f} of {max_bytes / 1e9:.1f} GB of this server's disk. Choose one of those, or raise "
                "MTDEMO_MAX_DISK_BYTES."
            )
        _coming[folder] = n_bytes
        folder.mkdir(parents=True, exist_ok=True)
        (folder / _PUBLIC).touch()
    try:
        yield
    finally:
        with _room:
            _coming.pop(folder, None)


def _folder(wanted: HubId) -> Path:
    return Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=wanted.name, repo_type="model"))


def _bytes_in(folder: Path) -> int:
    try:
        return sum(path.stat().st_size for path in (folder / "blobs").glob("*"))
    except OSError:  # a file was renamed meanwhile
        return -1


def _read_public(folder: Path) -> list[str]:
    try:
        return (folder / _PUBLIC).read_text(encoding="utf-8").split()
    except OSError:
        return []


def _is_whole(folder: Path) -> bool:
    """Tell if a folder has all its weights."""
    index = folder / "model.safetensors.index.json"
    if (folder / "model.safetensors").is_file() or not index.is_file():
        return (folder / "model.safetensors").is_file()
    return all((folder / shard).is_file() for shard in set(json.loads(index.read_text())["weight_map"].values()))
