"""Download of models from the hub, and the one door for a name that may be a directory or an id.

A hub model is first downloaded as a snapshot (JSON, vocabulary and safetensors files only, never a pickle, never code)
and then loaded as a directory is, so there is one way to load and one set of errors.
"""

from __future__ import annotations

import re
from pathlib import Path

import httpx
from huggingface_hub import hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)

from mtdemo.errors import CheckpointNotFoundError, HubUnreachableError
from mtdemo.models.checkpoints import check_size, load_directory, read_config
from mtdemo.models.loaded import LoadedModel

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


def load_model(id_or_directory: str, max_bytes: int | None = None) -> LoadedModel:
    """Load a directory, or a model of the hub.

    The command line does so; a page that strangers use takes names for ids of the hub alone.

    Raises:
        CheckpointError: one of its kinds, each naming what was looked for.
    """
    if is_directory_name(id_or_directory):
        return load_directory(Path(id_or_directory).expanduser(), max_bytes, id_or_directory)
    return load_directory(download(id_or_directory, max_bytes), max_bytes, id_or_directory)


def is_directory_name(id_or_directory: str) -> bool:
    """Tell a directory from an id of the hub.

    A name is one of a directory where that exists, and where it cannot be an id.
    """
    looks_like_path = id_or_directory.startswith((".", "/", "~")) or not _HUB_ID.fullmatch(id_or_directory)
    return looks_like_path or Path(id_or_directory).is_dir()


def download(hub_id: str, max_bytes: int | None = None) -> Path:
    """Bring a model of the hub into the local cache.

    Where the hub cannot be reached, it is looked for in the cache alone.

    Args:
        hub_id: `name` or `owner/name`. It is never taken for a path.
        max_bytes: the most memory its weights may take, checked before they are downloaded.

    Returns:
        The directory to load it from.

    Raises:
        CheckpointNotFoundError: the id is malformed, the hub has no such model, or it asks for a login.
        HubUnreachableError: no answer, and nothing in the cache.
        InvalidCheckpointError, ModelTooLargeError: its config.json cannot be used, or promises too much.
    """
    if not _HUB_ID.fullmatch(hub_id):
        raise CheckpointNotFoundError(
            f"{hub_id!r} is not a model id. Write 'name' or 'owner/name', as on the hub: bert-base-uncased, for instance."
        )
    try:
        config_file = Path(hf_hub_download(hub_id, "config.json"))
        check_size(read_config(config_file.parent, hub_id), hub_id, max_bytes)
        patterns = ["*.json", "*.txt", "*.model", "model*.safetensors"]
        return Path(snapshot_download(hub_id, allow_patterns=patterns, ignore_patterns=["*/*"]))
    except GatedRepoError as error:
        raise CheckpointNotFoundError(f"The model {hub_id!r} asks for a login, which this page does not have.") from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        raise CheckpointNotFoundError(f"The hub has no public model {hub_id!r}. Check the spelling of the id.") from error
    except EntryNotFoundError as error:
        if not isinstance(error, LocalEntryNotFoundError):
            raise CheckpointNotFoundError(f"{hub_id!r} is no model for transformers: it has no config.json.") from error
        raise _unreachable(hub_id) from error
    except HfHubHTTPError as error:
        raise HubUnreachableError(f"The hub refused to give {hub_id!r} just now ({error}). Try again later.") from error
    except (httpx.HTTPError, OSError) as error:
        raise _unreachable(hub_id) from error


def _unreachable(hub_id: str) -> HubUnreachableError:
    return HubUnreachableError(
        f"The model {hub_id!r} could not be downloaded: the hub cannot be reached from here, and the model is not in the "
        "local cache. Check the network, or use the embedded model."
    )
