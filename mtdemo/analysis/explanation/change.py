"""Two versions of a sentence: what became of embedding, class and entities."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any

from mtdemo.results import Entity, SentenceAnalysis
from mtdemo.text.words import Span, word_spans

KEPT, CHANGED, LOST, NEW = "kept", "changed", "lost", "new"
_ORDER = (LOST, NEW, CHANGED, KEPT)


@dataclass(frozen=True, slots=True)
class EntityChange:
    """The fate of one entity.

    Attributes:
        kind: `kept`: the same words have the same type; `changed`: another type, or more or fewer words; `lost` or `new`.
        before: in the first version; None where it is new.
        after: in the second; None where it is lost.
    """

    kind: str
    before: Entity | None
    after: Entity | None

    @property
    def change(self) -> float:
        """The difference of the scores; 0 stands for no entity."""
        return (self.after.score if self.after else 0.0) - (self.before.score if self.before else 0.0)

    def as_dict(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "before": self.before.as_dict() if self.before else None,
            "after": self.after.as_dict() if self.after else None,
        }


@dataclass(frozen=True, slots=True)
class Change:
    """The answers about two versions of a sentence, compared.

    Attributes:
        before: the first version.
        after: the second.
        entities: all of both, those that changed most first.
    """

    before: SentenceAnalysis
    after: SentenceAnalysis
    entities: tuple[EntityChange, ...]

    @property
    def cosine(self) -> float:
        """The cosine of the two embeddings, -1 to 1."""
        return self.before.cosine_to(self.after)

    @property
    def changes_class(self) -> bool:
        """True where another class is the likeliest."""
        return self.before.label != self.after.label

    @property
    def changes_entities(self) -> bool:
        """True where an entity is not kept."""
        return any(entity.kind != KEPT for entity in self.entities)

    @property
    def class_changes(self) -> tuple[tuple[str, float, float], ...]:
        """Each class with both probabilities, the largest change first."""
        after = self.after.probabilities
        rows = ((label, value, after[label]) for label, value in self.before.probabilities.items())
        return tuple(sorted(rows, key=lambda row: -abs(row[2] - row[1])))

    def as_dict(self) -> dict[str, Any]:
        return {
            "before": self.before.text,
            "after": self.after.text,
            "cosine": self.cosine,
            "label_before": self.before.label,
            "label_after": self.after.label,
            "changes_class": self.changes_class,
            "changes_entities": self.changes_entities,
            "classes": [{"label": label, "before": before, "after": after} for label, before, after in self.class_changes],
            "entities": [entity.as_dict() for entity in self.entities],
        }


def compare_versions(before: SentenceAnalysis, after: SentenceAnalysis) -> Change:
    """Compare the answers about two versions of a sentence.

    Words are aligned as `diff` does, whatever their case. A word that was replaced by another stands in its place, so a
    name is kept where another name took its place and got the same type.

    Args:
        before: the first version.
        after: the second, by the same model.
    """
    ours, theirs = word_spans(before.text), word_spans(after.text)
    images = _align(_folded(before.text, ours), _folded(after.text, theirs))
    left = {entity: _touched(theirs, entity) for entity in after.entities}
    changes = []
    for entity in before.entities:
        image = frozenset().union(*(images[word] for word in _touched(ours, entity)))
        match = max(left, key=lambda other: (len(left[other] & image), other.label == entity.label), default=None)
        if match is None or not left[match] & image:
            changes.append(EntityChange(LOST, entity, None))
            continue
        kind = KEPT if match.label == entity.label and left.pop(match) == image else CHANGED
        left.pop(match, None)
        changes.append(EntityChange(kind, entity, match))
    changes += [EntityChange(NEW, None, entity) for entity in left]
    changes.sort(key=lambda change: (_ORDER.index(change.kind), -abs(change.change)))
    return Change(before, after, tuple(changes))


def _folded(text: str, spans: Sequence[Span]) -> list[str]:
    return [text[start:end].casefold() for start, end in spans]


def _touched(spans: Sequence[Span], entity: Entity) -> Set[int]:
    """Return the numbers of the words of an entity."""
    return frozenset(number for number, (start, end) in enumerate(spans) if start < entity.end and entity.start < end)


def _align(ours: Sequence[str], theirs: Sequence[str]) -> list[Set[int]]:
    """Align words.

    `[a b c], [a x y c] -> [{0}, {1, 2}, {3}]`.

    Stretches of equal length are aligned word by word.
    """
    images: list[Set[int]] = [frozenset()] * len(ours)
    for kind, first, last, start, end in SequenceMatcher(None, ours, theirs, autojunk=False).get_opcodes():
        for word in range(first, last):
            one_by_one = kind == "equal" or last - first == end - start
            images[word] = frozenset({start + word - first}) if one_by_one else frozenset(range(start, end))
    return images
