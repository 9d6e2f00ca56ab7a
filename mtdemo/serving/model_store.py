"""The models in memory: loaded once each, lazily, the least recently used ones leaving when the bounds are reached."""

from __future__ import annotations

import hmac
import secrets
import threading
from concurrent.futures import Future
from itertools import count
from typing import TYPE_CHECKING

from mtdemo.config import MAX_TRAINED_MODELS, Settings
from mtdemo.errors import CheckpointNotFoundError, ModelTooLargeError, TooBusyError
from mtdemo.models.repository.together import SEPARATOR, PartNames
from mtdemo.models.repository.variants import Variant, read_variant
from mtdemo.runtime import import_lock
from mtdemo.serving.lru_cache import LruCache
from mtdemo.serving.model_entry import Entry, ModelEntry, TogetherEntry, join_variant
from mtdemo.serving.model_source import TRAINED, Download, ModelSource, read_names

if TYPE_CHECKING:
    from mtdemo.models.loaded import LoadedModel

_MAX_NAME_CHARACTERS = 256
MAX_LOADING = 16  # models at once; more are refused, so that whoever wants one that is in memory never waits


class ModelStore:
    """Models in memory, bounded by number and by bytes.

    Any thread may call it. A model that is in memory is given out at once, also while another one is being loaded, and
    nobody waits for the download of a model that somebody else asked for.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        bound = settings.max_model_bytes
        self._entries: LruCache[str, Entry] = LruCache(bound, lambda entry: entry.n_bytes, settings.max_models)
        self._trained: LruCache[str, Entry] = LruCache(bound, lambda entry: entry.n_bytes, MAX_TRAINED_MODELS)
        self._secret = secrets.token_bytes(32)
        self._numbers = count()
        self._loading: dict[str, Future[Entry]] = {}
        self._source = ModelSource(settings)
        self._loading_lock = threading.Lock()

    def find(self, name: str) -> Entry | None:
        """Look a model up in memory, without loading or waiting.

        Those that others are put together from are in memory, too.
        """
        entry = (self._trained if name.startswith(TRAINED) else self._entries).get(name)
        own = (model for each in self._entries.values() for model in each.models)
        return entry or next((model for model in own if model.name == name), None)

    def get(self, name: str) -> Entry:
        """Load a model, or wait for whoever is loading it.

        Args:
            name: `embedded`, the settings' model or, where the settings allow it, an id of the hub, or three of these put
                together (`mtdemo.models.repository.together`), or a variant (`mtdemo.models.repository.variants`).

        Raises:
            CheckpointError: it cannot be loaded. Models in memory stay.
        """
        return self._get(name, keep=True)

    def _get(self, name: str, keep: bool) -> Entry:
        """Load a model, and keep it unless another one will."""
        if any(len(part) > _MAX_NAME_CHARACTERS for part in name.split(SEPARATOR, 2)):
            raise CheckpointNotFoundError(f"The name of a model has at most {_MAX_NAME_CHARACTERS} characters.")
        if name.startswith(TRAINED) and not keep:  # it leaves with its visitor
            raise CheckpointNotFoundError(
                "A model that you trained answers as it is, and is not made into another one here."
            )
        with self._loading_lock:
            entry = self.find(name)
            if entry is not None:
                return entry
            others = self._loading.get(name)
            mine = self._loading.setdefault(name, Future())
            if others is None and len(self._loading) > MAX_LOADING:
                del self._loading[name]
                raise TooBusyError(f"{MAX_LOADING} models are being loaded for others already. Try again in a minute.")
        if others is not None:
            return others.result()
        try:
            entry = self._make(name)
            if keep:
                self._entries.put(name, entry)
            mine.set_result(entry)
            return entry
        except BaseException as error:
            mine.set_exception(error)
            raise
        finally:
            with self._loading_lock:
                del self._loading[name]

    def downloading(self, name: str) -> Download | None:
        """Look at the download of a model or its parts."""
        return self._source.downloading({name, *name.split(SEPARATOR)})

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
        self._trained.put(name, ModelEntry(next(self._numbers), name, loaded))
        return name

    def drop(self, owner: str) -> None:
        """Forget the trained model of an owner, if any."""
        self._trained.drop(self._name_of(owner))

    def _name_of(self, owner: str) -> str:
        return TRAINED + hmac.new(self._secret, owner.encode(), "sha256").hexdigest()

    def _make(self, name: str) -> Entry:
        """Load, put together or vary, as the name says."""
        names, variant = read_names(name, self._settings), read_variant(name)
        if names is not None:
            return self._put_together(name, names)
        return self._vary(name, variant) if variant else ModelEntry(next(self._numbers), name, self._source.load(name))

    def _vary(self, name: str, variant: Variant) -> Entry:
        """Make another embedding of a model.

        What reads it after an earlier layer has no heads there, so classes and entities stay the whole model's.
        """
        base = self._get(variant.base, keep=False).parts
        with import_lock:
            from mtdemo.models.embedding.variation import vary_embedding

            title = Variant(base[0].info.id, variant.pooling, variant.layer).name
            loaded = vary_embedding(base[0].loaded, variant.pooling, variant.layer, title)
        return join_variant(base, next(self._numbers), name, loaded)

    def _put_together(self, name: str, names: PartNames) -> TogetherEntry:
        """Load the models of embedding, classes and entities."""
        bound = self._settings.max_model_bytes
        loaded = {part: self._get(part, keep=False).parts for part in dict.fromkeys(names)}
        entry = TogetherEntry((loaded[names.embedding][0], loaded[names.classes][1], loaded[names.entities][2]))
        if entry.n_bytes > bound:
            raise ModelTooLargeError(
                f"The weights of {name!r} would take {entry.n_bytes / 1e9:.1f} GB of memory together; {bound / 1e9:.1f} GB "
                "are allowed. Choose smaller models, or raise MTDEMO_MAX_MODEL_BYTES."
            )
        return entry
