"""The models in memory: loaded once each, lazily, the least recently used ones leaving when the bounds are reached."""

from __future__ import annotations

import hmac
import logging
import secrets
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

from mtdemo.config import EMBEDDED, MAX_TRAINED_MODELS, Settings
from mtdemo.errors import CheckpointNotFoundError
from mtdemo.runtime import import_libraries, import_lock
from mtdemo.serving.lru_cache import LruCache

if TYPE_CHECKING:
    from mtdemo.models.loaded import LoadedModel

_TRAINED = "trained: "  # before a word that nobody can guess, in the name of a trained model
_MAX_NAME_CHARACTERS = 256
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """A model in memory and the number of its load.

    A model that left and came back is another one to the cache.
    """

    number: int
    loaded: LoadedModel


class ModelStore:
    """Models in memory, bounded by number and by bytes.

    Any thread may call it. A model that is in memory is given out at once, also while another one is being loaded, and
    nobody waits for the download of a model that somebody else asked for.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._entries: LruCache[str, ModelEntry] = LruCache(
            settings.max_model_bytes, lambda entry: entry.loaded.n_bytes, settings.max_models
        )
        self._trained: LruCache[str, ModelEntry] = LruCache(
            settings.max_model_bytes, lambda entry: entry.loaded.n_bytes, MAX_TRAINED_MODELS
        )
        self._secret = secrets.token_bytes(32)
        self._numbers = count()
        self._loading: dict[str, Future[ModelEntry]] = {}
        self._loading_lock = threading.Lock()

    def find(self, name: str) -> ModelEntry | None:
        """Look a model up in memory, without loading or waiting."""
        return (self._trained if name.startswith(_TRAINED) else self._entries).get(name)

    def get(self, name: str) -> ModelEntry:
        """Load a model, or wait for whoever is loading it.

        Args:
            name: `embedded`, the settings' model or, where the settings allow it, an id of the hub.

        Raises:
            CheckpointError: it cannot be loaded. Models in memory stay.
        """
        if len(name) > _MAX_NAME_CHARACTERS:
            raise CheckpointNotFoundError(f"The name of a model has at most {_MAX_NAME_CHARACTERS} characters.")
        with self._loading_lock:
            entry = self.find(name)
            if entry is not None:
                return entry
            others = self._loading.get(name)
            mine = self._loading.setdefault(name, Future())
        if others is not None:
            return others.result()
        try:
            entry = ModelEntry(next(self._numbers), self._load(name))
            self._entries.put(name, entry)
            mine.set_result(entry)
            return entry
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._loading_lock:
                del self._loading[name]

    def register(self, loaded: LoadedModel, owner: str) -> str:
        """Keep a trained model instead of its owner's last one.

        It never takes the place of one that was loaded, and leaves when `MAX_TRAINED_MODELS` others were used after it.

        Args:
            loaded: the model.
            owner: whose it is.

        Returns:
            The name to ask for it by. It cannot be made from the owner's, which others may see.
        """
        name = self._name_of(owner)
        self._trained.put(name, ModelEntry(next(self._numbers), loaded))
        return name

    def drop(self, owner: str) -> None:
        """Forget the trained model of an owner, if any."""
        self._trained.drop(self._name_of(owner))

    def _name_of(self, owner: str) -> str:
        return _TRAINED + hmac.new(self._secret, owner.encode(), "sha256").hexdigest()

    def _load(self, name: str) -> LoadedModel:
        import_libraries()
        from mtdemo.models.checkpoints import load_directory
        from mtdemo.models.hub import download

        _logger.info("loading %s", name)
        settings = self._settings
        if name.startswith(_TRAINED):
            raise CheckpointNotFoundError(
                "The model that you trained had to make room for those of others. Ask again for it under the run that "
                "trained it, or use this page's model again, by the button beside it."
            )
        if name == EMBEDDED:
            directory, name = Path(settings.checkpoint), settings.checkpoint_name
        elif settings.hub_models or name == settings.model:
            with_login = settings.hub_login or name == settings.model  # the operator named this one
            directory = download(name, settings.max_model_bytes, with_login)
            name = name.strip()
        else:
            raise CheckpointNotFoundError("Loading other models is switched off on this page; it serves one model only.")
        with import_lock:  # downloads may overlap, but not this
            return load_directory(directory, settings.max_model_bytes, name)
