"""Two versions of a sentence side by side, and what changed, the largest change first."""

from __future__ import annotations

import html

from mtdemo.analysis.explanation.change import CHANGED, KEPT, LOST, NEW, Change, EntityChange
from mtdemo.results import Entity, ModelInfo, SentenceAnalysis
from mtdemo.serving.explainer import Explained
from mtdemo.ui.components.cards import draw_class, mark_entities
from mtdemo.ui.components.labels import color_types
from mtdemo.ui.why.occlusion_view import describe_limits


def render_change(explained: Explained[Change]) -> str:
    """Draw both versions with their answers, and list the changes."""
    change, info = explained.result, explained.model
    versions = _version("Before", change.before, info) + _version("After", change.after, info)
    facts = "".join(f"<li>{fact}</li>" for fact in _facts(change))
    return f'{describe_limits(explained)}<div class="versions">{versions}</div><ul class="facts">{facts}</ul>'


def _version(title: str, sentence: SentenceAnalysis, info: ModelInfo) -> str:
    return (
        f'<section><h3>{title}</h3><p class="text" dir="auto">{mark_entities(sentence, color_types(info))}</p>'
        f"{draw_class(sentence, info)}</section>"
    )


def _facts(change: Change) -> list[str]:
    """Say what changed; the largest differences stand first."""
    label, before, after = change.class_changes[0]
    turned = (
        f"the class turns from <b>{html.escape(change.before.label)}</b> to <b>{html.escape(change.after.label)}</b>"
        if change.changes_class
        else f"the class stays <b>{html.escape(change.before.label)}</b>"
    )
    facts = [
        (1 - change.cosine, f"Embedding: cosine <b>{change.cosine:.3f}</b> between the two"),
        (
            abs(after - before) + change.changes_class,
            f"Class: {turned}; most of all {html.escape(label)} {before:.2f} → {after:.2f} ({after - before:+.2f})",
        ),
        *((_size(entity), _describe_entity(entity)) for entity in change.entities),
    ]
    return [words for _, words in sorted(facts, key=lambda fact: -fact[0])]


def _size(entity: EntityChange) -> float:
    return abs(entity.change) + (entity.kind != KEPT)


def _describe_entity(entity: EntityChange) -> str:
    before, after = (_name(one) if one else "" for one in (entity.before, entity.after))
    return {
        KEPT: f"Entity: {before} is kept, {after} ({entity.change:+.2f})",
        CHANGED: f"Entity: {before} becomes {after}",
        LOST: f"Entity: {before} is lost",
        NEW: f"Entity: {after} is new",
    }[entity.kind]


def _name(entity: Entity) -> str:
    return f"<b><bdi>{html.escape(entity.text)}</bdi></b> {html.escape(entity.label)} {entity.score:.2f}"
