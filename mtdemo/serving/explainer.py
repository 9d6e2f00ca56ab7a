"""The service's answers to why, and to what if: one sentence is read in many variants, in few passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from mtdemo.analysis.explanation.attribution import Attribution, attribute
from mtdemo.analysis.explanation.change import Change, compare_versions
from mtdemo.analysis.explanation.occlusion import Occlusion, occlude
from mtdemo.analysis.explanation.pieces import PieceView, name_pieces, view_pieces
from mtdemo.analysis.explanation.reading import NOTHING, Hidden, MaskedBatch, Reading, Readings
from mtdemo.analysis.explanation.shared_words import SharedWords, share_words
from mtdemo.analysis.explanation.stability import Outcome, Stability
from mtdemo.analysis.explanation.swaps import swap_names
from mtdemo.analysis.explanation.targets import list_targets
from mtdemo.analysis.explanation.variants import Variant, harmless_variants, negate
from mtdemo.errors import InputError
from mtdemo.results import ModelInfo, ProgressCallback, SentenceAnalysis, no_progress
from mtdemo.serving.service import ModelService
from mtdemo.text.masking import Word, cut_words, list_words

if TYPE_CHECKING:
    from mtdemo.models.loaded import LoadedModel
    from mtdemo.text.tokenization import EncodedSentence, Window

MAX_WORDS = 100  # of a sentence that are explained; each is a reading
MAX_CHARACTERS = 1_500

Result_co = TypeVar("Result_co", covariant=True)


@dataclass(frozen=True, slots=True)
class Explained(Generic[Result_co]):
    """A result about a sentence, and its model.

    Attributes:
        model: which answered.
        result: the answer.
        hides_with: what stands in place of a hidden word; empty where it is removed.
        n_left_out: words at the end of the sentence beyond `MAX_WORDS` or `MAX_CHARACTERS`, which were cut off first.
    """

    model: ModelInfo
    result: Result_co
    hides_with: str = ""
    n_left_out: int = 0


class Explainer:
    """Answers about single sentences, past the service's cache.

    Args:
        service: reads, within its limits.

    Every method may be called from any thread. Each takes a sentence, not blank, and `model` as `ModelService.analyze`
    does, whose errors may be raised. A sentence is cut off after `MAX_WORDS` words.
    """

    def __init__(self, service: ModelService) -> None:
        self._service = service

    def occlude(
        self, sentence: str, model: str | None = None, progress: ProgressCallback = no_progress
    ) -> Explained[Occlusion]:
        """Hide every word in turn; see what answers lose."""
        loaded = self._service.get_model(model)
        text, n_left_out = self._cut(sentence)
        reader = MaskingReader(self._service, loaded, text, progress)
        return Explained(loaded.info, occlude(reader), reader.mask, n_left_out)

    def view_pieces(self, sentence: str, model: str | None = None) -> Explained[PieceView]:
        """Show the sentence as the model reads it."""
        loaded = self._service.get_model(model)
        text, n_left_out = self._cut(sentence)
        seen: list[EncodedSentence] = []
        names: list[tuple[str, bool]] = []

        def choose(encoded: Sequence[EncodedSentence]) -> Sequence[Window]:
            seen.extend(encoded)
            names.extend(name_pieces(loaded, seen[0]))
            return seen[0].windows

        outputs = self._service.read_windows(loaded, [text], choose)
        return Explained(loaded.info, view_pieces(loaded, seen[0], names, outputs), n_left_out=n_left_out)

    def what_if(self, before: str, after: str, model: str | None = None) -> Explained[Change]:
        """Compare the answers about two versions of a sentence.

        Both are cut off where they are long; the words left out of either are counted together.
        """
        (one, n_ours), (other, n_theirs) = self._cut(before), self._cut(after)
        change = compare_versions(*self._read([one, other], model))
        return Explained(self._service.load(model), change, n_left_out=n_ours + n_theirs)

    def try_variants(self, sentence: str, model: str | None = None) -> Explained[Stability]:
        """Read harmless variants of a sentence, and a negation."""
        text, n_left_out = self._cut(sentence)
        opposites = [opposite] if (opposite := negate(text)) else []
        variants = [*opposites, *harmless_variants(text)]
        whole, *others = self._read([text, *(variant.text for variant in variants)], model)
        outcomes = _outcomes(whole, variants, others)
        result = Stability(whole, tuple(outcomes[len(opposites) :]), outcomes[0] if opposites else None)
        return Explained(self._service.load(model), result, n_left_out=n_left_out)

    def swap_names(self, sentence: str, model: str | None = None) -> Explained[Stability]:
        """Put other people and places into a sentence."""
        text, n_left_out = self._cut(sentence)
        (whole,) = self._read([text], model)
        variants = swap_names(whole)
        others = self._read([variant.text for variant in variants], model)
        outcomes = _outcomes(whole, variants, others)
        return Explained(self._service.load(model), Stability(whole, tuple(outcomes)), n_left_out=n_left_out)

    def attribute(
        self, sentence: str, answer: int = 1, model: str | None = None, progress: ProgressCallback = no_progress
    ) -> Explained[Attribution]:
        """Attribute an answer to words by integrated gradients.

        Args:
            sentence: not blank.
            answer: its position among the answers that `occlude` gives: 1 is the class, from 2 on come the entities.
            model: as for `ModelService.analyze`.
            progress: as there, for the readings of the check.

        Raises:
            InputError: there is no such answer.
        """
        loaded = self._service.get_model(model)
        text, n_left_out = self._cut(sentence)
        reader = MaskingReader(self._service, loaded, text, progress)
        readings = Readings(reader)
        readings.read([NOTHING])
        targets = list_targets(readings.whole, reader.words, reader.types)
        if not isinstance(answer, int) or not 1 <= answer < len(targets):
            n_entities = len(targets) - 2
            raise InputError(
                f"The answers that can be attributed are 1, the class, and from 2 on the entities, of which this sentence "
                f"has {n_entities or 'none'}; {answer!r} is none of them."
            )
        result = attribute(loaded, reader.sentence, reader.words, targets[answer], readings)
        return Explained(loaded.info, result, reader.mask, n_left_out)

    def share_words(
        self, first: str, second: str, model: str | None = None, progress: ProgressCallback = no_progress
    ) -> Explained[SharedWords]:
        """Find the words that make two sentences similar."""
        loaded = self._service.get_model(model)
        (one, n_ours), (other, n_theirs) = self._cut(first), self._cut(second)
        readers = [MaskingReader(self._service, loaded, text, progress) for text in (one, other)]
        return Explained(loaded.info, share_words(*readers), readers[0].mask, n_ours + n_theirs)

    def _read(self, texts: Sequence[str], model: str | None) -> list[SentenceAnalysis]:
        """Analyse texts in portions that the limits allow."""
        analyses = []
        for answer in self._service.analyze_stream(texts, model):
            if isinstance(answer, InputError):
                raise answer
            analyses.append(answer)
        return analyses

    def _cut(self, sentence: str) -> tuple[str, int]:
        """Check a sentence, cut it, count words left out."""
        self._service.check([sentence])
        return cut_words(sentence, MAX_WORDS, MAX_CHARACTERS)


def _outcomes(whole: SentenceAnalysis, variants: Sequence[Variant], analyses: Sequence[SentenceAnalysis]) -> list[Outcome]:
    return [
        Outcome(variant, compare_versions(whole, analysis)) for variant, analysis in zip(variants, analyses, strict=True)
    ]


class MaskingReader:
    """Reads a sentence with words masked, or removed.

    Where the tokenizer has a mask token it stands in place of each word piece; elsewhere words are removed.

    Args:
        service: reads.
        loaded: the model.
        text: the sentence.
        progress: told of windows done and windows in all.
    """

    def __init__(
        self, service: ModelService, loaded: LoadedModel, text: str, progress: ProgressCallback = no_progress
    ) -> None:
        self._service, self._loaded, self._text, self._progress = service, loaded, text, progress
        self.mask = str(loaded.tokenizer.mask_token or "")
        self.types = loaded.scheme.types
        self.words: tuple[Word, ...] = ()
        self.sentence: EncodedSentence
        service.read_windows(loaded, [text], self._look)

    def read(self, hidden: Sequence[Hidden]) -> list[Reading]:
        """Read the sentence once for each set of hidden words."""
        planned: list[MaskedBatch] = []

        def choose(encoded: Sequence[EncodedSentence]) -> Sequence[Window]:
            mask_id = self._loaded.tokenizer.mask_token_id if self.mask else None
            planned.append(MaskedBatch.plan(encoded[0], hidden, mask_id))
            return planned[0].windows

        outputs = self._service.read_windows(self._loaded, [self._text], choose, self._progress)
        return planned[0].to_readings(self._loaded, outputs)

    def _look(self, encoded: Sequence[EncodedSentence]) -> Sequence[Window]:
        """Look at the words; the sentence itself is read, too."""
        (self.sentence,) = encoded
        self.words = list_words(self.sentence)
        return self.sentence.windows
