"""The service: sentences in, frozen results out. It holds the limits and puts the rooms below together.

It can be constructed before torch is imported: the first load imports it. So a page can be up in seconds while another
thread calls `load`, and a question asked meanwhile waits for it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import replace
from typing import TYPE_CHECKING

from mtdemo.analysis.similarity import Similarity, compare_all
from mtdemo.config import MIN_LENGTH, Settings
from mtdemo.errors import EmptyInputError, InputError, TooMuchInputError, UnknownNameError
from mtdemo.results import Analysis, ModelInfo, ProgressCallback, SentenceAnalysis, no_progress
from mtdemo.serving.analyzer import Analyzer, ServiceCounts
from mtdemo.serving.model_source import Download
from mtdemo.serving.model_store import ModelStore
from mtdemo.serving.pass_queue import Request, always
from mtdemo.text.words import is_blank

if TYPE_CHECKING:
    from mtdemo.models.answering import AnsweringModel, WindowOutput
    from mtdemo.models.loaded import LoadedModel
    from mtdemo.text.tokenization import EncodedSentence, Window

    ChooseWindows = Callable[[Sequence[EncodedSentence]], Sequence[Window]]

PORTION = 256  # sentences of a stream that are analysed together at most


class ModelService:
    """Answers about sentences; models load once, results are computed once.

    Args:
        settings: limits, threads, and where the embedded checkpoint is.

    Every method may be called from any thread.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._models = ModelStore(settings)
        self._analyzer = Analyzer(settings)
        self._is_wanted: Callable[[], bool] = always

    @property
    def n_forward_passes(self) -> int:
        return self.counts.n_forward_passes  # a cached answer adds none

    @property
    def counts(self) -> ServiceCounts:
        """Counts of the work since the start."""
        return self._analyzer.counts

    def while_wanted(self, is_wanted: Callable[[], bool]) -> ModelService:
        """Return a view for a request that may end early.

        Once `is_wanted` gives False nothing more is computed, and `RequestGoneError` is raised.
        """
        view = copy.copy(self)
        view._is_wanted = is_wanted
        return view

    def loaded(self, model: str | None = None) -> ModelInfo | None:
        """Describe a model in memory; never load and never wait."""
        entry = self._models.find(model or self.settings.model)
        return entry.info if entry else None

    def load(self, model: str | None = None) -> ModelInfo:
        """Load a model, or wait for whoever is loading it.

        Args:
            model: `embedded`, an id of the hub, or three with + between them (whose embedding, classes and entities); the
                settings' model by default.

        Raises:
            CheckpointError: it cannot be loaded. Models in memory stay.
        """
        return self._models.get(model or self.settings.model).info

    def downloading(self, model: str) -> Download | None:
        """Tell how far a model's download is; None without one."""
        return self._models.downloading(model)

    def get_model(self, model: str | None = None, part: str | None = None) -> LoadedModel:
        """Get a model to copy or measure, never to change.

        Args:
            model: as in `load`.
            part: one of `ANSWER_PARTS`: whose network, where several were put together.

        Raises:
            CheckpointError: it cannot be loaded, or several were put together and no part is named.
        """
        return self._models.get(model or self.settings.model).model_of(part)

    def register(self, loaded: LoadedModel, name: str, owner: str) -> str:
        """Let a trained model answer.

        Args:
            loaded: the model, which must not be changed afterwards.
            name: what answers call it.
            owner: whose it is; each owner has one, and nobody else can guess this.

        Returns:
            What to give as `model` to be answered by it, while there is room for it.
        """
        return self._models.register(replace(loaded, info=replace(loaded.info, id=name)), owner)

    def unregister(self, owner: str) -> None:
        """Forget the trained model of an owner, if any."""
        self._models.drop(owner)

    def analyze(
        self,
        sentences: Sequence[str],
        model: str | None = None,
        max_length: int | None = None,
        progress: ProgressCallback = no_progress,
        prompt: str | None = None,
    ) -> Analysis:
        """Embed, classify and find entities, all from one forward pass.

        Args:
            sentences: at least one, none of them blank; a list, a tuple, an array or a pandas Series.
            model: `embedded` or an id of the hub; the settings' model by default.
            max_length: word pieces read for embedding and class; the settings' by default, at most what the model can.
            progress: told of windows done and windows in all, when there is more than one batch.
            prompt: name of one of the model's prompts (`ModelInfo.prompts`), which is read before each sentence; None for
                what the model reads by default. Offsets stay those of the sentence.

        Returns:
            One analysis per sentence, in the given order.

        Raises:
            EmptyInputError, TooMuchInputError: as the message says.
            UnknownNameError: the model has no such prompt.
            CheckpointError: the model cannot be loaded.
        """
        sentences = _as_list(sentences)
        self.check(sentences)
        wanted = self.settings.max_length if max_length is None else max_length
        if wanted < MIN_LENGTH:
            raise InputError(f"max_length must be at least {MIN_LENGTH} word pieces, not {wanted}.")
        entry = self._models.get(model or self.settings.model)
        before = _find_prompt(entry.info, prompt)
        answers = self._analyzer.analyze(entry, sentences, wanted, progress, self._is_wanted, before)
        return Analysis(entry.info, answers.results, answers.n_passes, sum(answers.were_known))

    def analyze_stream(self, sentences: Iterable[str], model: str | None = None) -> Iterator[SentenceAnalysis | InputError]:
        """Analyse any number of sentences in portions within the limits.

        Yields:
            For each sentence, in order, its analysis, or the error that says why it has none.
        """
        for portion in _portions(sentences, self.settings):
            readable = [item for item in portion if isinstance(item, str)]
            answers = iter(self.analyze(readable, model).sentences if readable else ())
            for item in portion:
                yield next(answers) if isinstance(item, str) else item

    def similarity(
        self,
        sentences: Sequence[str],
        model: str | None = None,
        max_length: int | None = None,
        progress: ProgressCallback = no_progress,
        prompt: str | None = None,
    ) -> Similarity:
        """Compare every sentence with every other by cosine similarity.

        Arguments and errors are those of `analyze`.
        """
        return compare_all(self.analyze(sentences, model, max_length, progress, prompt))

    def read_windows(
        self,
        loaded: AnsweringModel,
        texts: Sequence[str],
        choose: ChooseWindows,
        progress: ProgressCallback = no_progress,
    ) -> Mapping[int, WindowOutput]:
        """Run windows made of texts, past the cache.

        Args:
            loaded: the model, as `get_model` gives it, or one made of it.
            texts: those that `analyze` would read.
            choose: makes the windows of the tokenised texts, on the thread that alone may use the tokenizer.
            progress: as for `analyze`.

        Returns:
            Their outputs, by position.

        Raises:
            EmptyInputError, TooMuchInputError: as the message says.
        """
        self.check(texts)
        max_length = min(self.settings.max_length, loaded.info.max_length)
        request = Request(loaded, texts, max_length, self._is_wanted, choose=choose)
        self._analyzer.run(request, progress)
        return request.outputs

    def check(self, sentences: Sequence[str]) -> None:
        """Raise an error for no, blank or too many sentences."""
        _check(sentences, self.settings)


def _check(sentences: Sequence[str], limits: Settings) -> None:
    if not sentences:
        raise EmptyInputError("There is no sentence to read. Write at least one.")
    if len(sentences) > limits.max_sentences:
        raise TooMuchInputError(
            f"{len(sentences):,} sentences were given; at most {limits.max_sentences:,} are read at once. Send them in "
            "parts, or use `python -m mtdemo annotate` for whole files."
        )
    for number, sentence in enumerate(sentences, start=1):
        _check_sentence(sentence, number, limits)
    total = sum(map(len, sentences))
    if total > limits.max_total_characters:
        raise TooMuchInputError(
            f"The sentences have {total:,} characters together; at most {limits.max_total_characters:,} are read at "
            "once. Send them in parts."
        )


def _find_prompt(info: ModelInfo, name: str | None) -> str | None:
    """Find the text of a prompt; None for none named."""
    if name is None:
        return None
    if isinstance(name, str) and name in info.prompts:
        return info.prompts[name]
    there_are = f"there are {', '.join(info.prompts)}" if info.prompts else "it has none"
    raise UnknownNameError(f"The model {info.id!r} has no prompt {name!r}; {there_are}.")


def _as_list(sentences: Iterable[str]) -> list[str]:
    """Give sentences of any ordered collection as a list.

    `Series(["a", "b"]) -> ["a", "b"]`

    Raises:
        InputError: it is one text, has no order (a set), holds more than sentences (a mapping), or is no collection.
    """
    if isinstance(sentences, (str, bytes)):
        raise InputError("One text was given where a list of sentences is expected. Put it in a list.")
    if isinstance(sentences, (Mapping, Set)) or not isinstance(sentences, Iterable):
        raise InputError(f"A list of sentences is expected, not a {type(sentences).__name__}.")
    if getattr(sentences, "ndim", 1) != 1:  # a table, which would be read as the names of its columns
        raise InputError(f"A list of sentences is expected, not a {type(sentences).__name__}; give one column of a table.")
    return list(sentences)


def _check_sentence(sentence: str, number: int, limits: Settings) -> None:
    if not isinstance(sentence, str):
        raise InputError(f"It must be a text, not {type(sentence).__name__}.", number)
    if is_blank(sentence):
        raise EmptyInputError("It is blank. Leave it out, or write something.", number)
    most = min(limits.max_sentence_characters, limits.max_total_characters)
    if len(sentence) > most:
        reason = f"It has {len(sentence):,} characters; at most {most:,} are read in one. Split it into paragraphs."
        raise TooMuchInputError(reason, number)


def _portions(sentences: Iterable[str], limits: Settings) -> Iterator[list[str | InputError]]:
    """Part a stream into portions within the limits.

    One begins after each `PORTION` sentences, so that a stream begun at a multiple of it is parted as the whole is.
    """
    n_characters = 0
    portion: list[str | InputError] = []
    for number, sentence in enumerate(sentences, start=1):
        try:
            _check_sentence(sentence, number, limits)
            item: str | InputError = sentence
        except InputError as error:
            item = error
        length = len(item) if isinstance(item, str) else 0
        is_full = len(portion) >= limits.max_sentences or (number - 1) % PORTION == 0
        if portion and (is_full or n_characters + length > limits.max_total_characters):
            yield portion
            portion, n_characters = [], 0
        portion.append(item)
        n_characters += length
    if portion:
        yield portion
