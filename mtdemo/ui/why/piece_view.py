"""A sentence in word pieces: what the model reads, and the words that the decoder makes of it."""

from __future__ import annotations

import html
from itertools import groupby

import pandas as pd

from mtdemo.analysis.explanation.pieces import PieceView, ReadPiece
from mtdemo.serving.explainer import Explained
from mtdemo.ui.components.labels import color_types


def render_pieces(explained: Explained[PieceView]) -> str:
    """Draw word pieces, grouped by the words that they make."""
    view = explained.result
    colors = color_types(explained.model)
    parts, window = [], 1
    for word, group in groupby(view.pieces, key=lambda piece: piece.word):
        pieces = list(group)
        if pieces[0].window != window:
            window = pieces[0].window
            parts.append(f'<li class="seam">window {window} of {view.n_windows} from here</li>')
        label = "" if word is None else view.word_types[word]
        found = label not in {"", "O"}
        hue = f" hue-{colors[label]}" if found else ""
        told = f"<small>{html.escape(label)} {view.word_probabilities[word or 0]:.2f}</small>" if found else ""
        parts.append(f'<li class="pieces-of{hue}{" named" if found else ""}">{"".join(map(_piece, pieces))}{told}</li>')
    return f'<ol class="word-pieces">{"".join(parts)}</ol>'


def _piece(piece: ReadPiece) -> str:
    kinds = ["piece", *(["unknown"] if piece.is_unknown else []), *([] if piece.is_read else ["unread"])]
    told = "<small>unknown</small>" if piece.is_unknown else ""
    return f'<span class="{" ".join(kinds)}">{html.escape(piece.piece)}{told}</span>'


def describe_pieces(explained: Explained[PieceView]) -> str:
    """Count pieces and windows, as Markdown."""
    view = explained.result
    n_unknown = sum(piece.is_unknown for piece in view.pieces)
    n_unread = sum(not piece.is_read for piece in view.pieces)
    told = f"{len(view.pieces):,} word pieces in {len(view.words):,} words"
    if n_unknown:
        told += f", {n_unknown:,} of them **unknown** to the vocabulary, which all read alike"
    if view.n_windows > 1:
        told += (
            f"; {view.n_windows} overlapping windows, and {n_unread:,} pieces (pale) that embedding and class do not read"
        )
    return (
        f"{told}. A word's type is the most probable one on average over its pieces, but where that would tear a name into "
        "several types and the model is set to avoid it. The table has every piece."
    )


def tabulate_pieces(view: PieceView) -> pd.DataFrame:
    """Tabulate each piece with the probability of each label."""
    texts = [view.words[piece.word].text if piece.word is not None else "" for piece in view.pieces]
    return pd.DataFrame(
        {
            "piece": [piece.piece for piece in view.pieces],
            "word": texts,
            "of the word": [view.word_types[piece.word] if piece.word is not None else "" for piece in view.pieces],
            "known": ["no" if piece.is_unknown else "yes" for piece in view.pieces],
            "window": [piece.window for piece in view.pieces],
            "start": [piece.start for piece in view.pieces],
            "end": [piece.end for piece in view.pieces],
            **{
                f"P({label})": view.probabilities[:, place].astype(float).round(4).tolist()
                for place, label in enumerate(view.labels)
            },
        }
    )
