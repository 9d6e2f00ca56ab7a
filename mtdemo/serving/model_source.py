"""Sources of models: where each is found, who may have it, and how far its download is."""

from __future__ import annotations

import logging
import time
from collections.abc import Set
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mtdemo.config import EMBEDDED, Settings
from mtdemo.errors import CheckpointNotFoundError
from mtdemo.models.catalog import allowed_models
from mtdemo.models.repository.together import PartNames, read_part_names, read_parts
from mtdemo.runtime import import_libraries, import_lock

if TYPE_CHECKING:
    from mtdemo.models.loaded import LoadedModel

TRAINED = "trained: "  # before a word that nobody can guess, in the name of a trained model
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Download:
    """A download that is going on.

    Attributes:
        n_done: bytes that have come.
        n_bytes: bytes in all.
        since: when it began, in seconds of a monotonic clock.
        now: when these bytes were counted.
    """

    n_done: int
    n_bytes: int
    since: float
    now: float

    @property
    def seconds_left(self) -> float | None:
        """Time left at the mean rate; None before any bytes."""
        return (self.now - self.since) * (self.n_bytes / self.n_done - 1) if self.n_done else None


def read_names(name: str, settings: Settings) -> PartNames | None:
    """Read the names in a name of models put together.

    A file is read for the operator alone.
    """
    return read_parts(name) if name == settings.model else read_part_names(name)


class ModelSource:
    """Loads single models from where the settings allow it.

    Any thread may call it. Nobody waits for the download of a model that somebody else asked for.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._downloads: dict[str, Download] = {}
        self._directories: dict[str, Path] = {}  # of models that were loaded

    def downloading(self, names: Set[str]) -> Download | None:
        """Look at the longest of some models' downloads."""
        found = [download for name, download in tuple(self._downloads.items()) if name in names]
        return max(found, key=lambda download: download.n_bytes - download.n_done, default=None)

    def load(self, name: str) -> LoadedModel:
        """Load a model.

        Raises:
            CheckpointError: it cannot be loaded, or may not.
        """
        import_libraries()
        from mtdemo.inference.placement import choose_device, hasten, place
        from mtdemo.models.checkpoints import load_directory

        _logger.info("loading %s", name)
        try:
            directory = self._find_directory(name)
            title = self._settings.checkpoint_name if name == EMBEDDED else name.strip()
            choose_device(self._settings.device)  # which may be none that there is
            with import_lock:  # downloads may overlap, but not this
                loaded = load_directory(directory, self._settings.max_model_bytes, title)
                loaded = place(loaded, self._settings.device, self._settings.dtype)
                loaded = hasten(loaded, self._settings.max_model_bytes)
        finally:
            self._downloads.pop(name, None)
        self._directories[name] = directory
        return loaded

    def _find_directory(self, name: str) -> Path:
        """Find the directory of a model, which may be fetched."""
        from mtdemo.models.hub import is_directory_name

        settings, is_operators = self._settings, self._is_operators(name)
        if name.startswith(TRAINED):
            raise CheckpointNotFoundError(
                "The model that you trained had to make room for those of others. Ask again for it under the run that "
                "trained it, or use this page's model again, by the button beside it."
            )
        if name == EMBEDDED:
            return Path(settings.checkpoint)
        if is_operators and is_directory_name(name):
            return Path(name).expanduser()
        if not is_operators and settings.hub_models and (allowed := allowed_models(settings)) and name not in allowed:
            raise CheckpointNotFoundError(f"This page loads only the models of its list: {', '.join(allowed)}.")
        if settings.hub_models or is_operators:
            return self._fetch(name, settings.hub_login or is_operators)
        raise CheckpointNotFoundError("Loading other models is switched off on this page; it serves one model only.")

    def _fetch(self, name: str, with_login: bool) -> Path:
        """Bring a model of the hub.

        One that left memory comes back as it was. Whoever asks it again would wait for the hub, and others with him.
        """
        from mtdemo.models.hub import download

        known = self._directories.pop(name, None)  # and is asked for anew, should it have been taken away or broken
        if known is not None and known.is_dir():
            return known
        tell = partial(self._tell, name)
        return download(name, self._settings.max_model_bytes, with_login, self._settings.max_disk_bytes, tell)

    def _is_operators(self, name: str) -> bool:
        """Tell if the operator named this model."""
        own = self._settings.model
        return name == own or (own != EMBEDDED and name in (read_names(own, self._settings) or ()))

    def _tell(self, name: str, phrase: str, n_done: int, n_bytes: int) -> None:
        """Note how far a download is."""
        known = self._downloads.get(name)
        since = known.since if known else time.monotonic()
        self._downloads[name] = Download(n_done, n_bytes, since, time.monotonic())
