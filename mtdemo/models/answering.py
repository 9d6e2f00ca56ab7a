"""The seam for other models: all that service, laboratory and evaluation need of one that answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from mtdemo.results import ArrayRecord, FloatArray, ModelInfo
from mtdemo.text.entity_spans import TagScheme
from mtdemo.text.tokenization import EncodedSentence, Window


@dataclass(frozen=True, slots=True, eq=False)
class WindowOutput(ArrayRecord):
    """Output of a model for one window.

    Attributes:
        embedding: float32 (hidden,).
        class_probabilities: float32 (classes,), in the order of `ModelInfo.class_labels`.
        entity_probabilities: float32 (content pieces, entity labels), in the order of `TagScheme.labels`.
    """

    embedding: FloatArray
    class_probabilities: FloatArray
    entity_probabilities: FloatArray


class AnsweringModel(Protocol):
    """A model that tokenises, runs windows and describes itself.

    `LoadedModel` is one, whatever checkpoint it comes from (`mtdemo.models.formats`); a model of another library would
    be another. Nothing here needs torch.
    """

    @property
    def info(self) -> ModelInfo:
        """The description that people see."""

    @property
    def scheme(self) -> TagScheme:
        """The meaning of the entity labels."""

    def encode(self, texts: Sequence[str], max_length: int, prompt: str | None = None) -> tuple[EncodedSentence, ...]:
        """Tokenise texts; called by one thread at a time.

        Args:
            texts: any.
            max_length: word pieces in a window, special ones included.
            prompt: what is read before each of them; None for what the model reads by default.
        """

    def run(self, windows: Sequence[Window]) -> tuple[WindowOutput, ...]:
        """Run one forward pass over windows of similar length."""
