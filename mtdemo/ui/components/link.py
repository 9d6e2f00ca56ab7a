"""A link that brings a question back: sentences and model in the query string, nothing on the server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from mtdemo.config import EMBEDDED
from mtdemo.errors import InputError
from mtdemo.models.catalog import KNOWN_MODELS
from mtdemo.ui.components.sentence_box import read_lines

MAX_LINK = 2_000  # characters that every browser, chat and mail program carries
_LINKED = {known.id for known in KNOWN_MODELS}


@dataclass(frozen=True, slots=True)
class Question:
    """A question as a link carries it; None means unsaid.

    Attributes:
        text: one sentence per line.
        model: as in the visitor's choice.
        tab: the id of a tab.
    """

    text: str | None = None
    model: str | None = None
    tab: str | None = None


def write_query(text: str, model: str | None) -> str:
    """Write the query string of a question, without its tab.

    Raises:
        EmptyInputError: nothing is asked.
        InputError: the link would be too long, or the model is this visitor's alone.
    """
    sentences = "\n".join(read_lines(text))
    if model not in {None, *_LINKED}:
        raise InputError("A link can name only the models of the list, since others are yours alone or may be gone.")
    query = urlencode({"q": sentences} | ({"model": model} if model not in {None, EMBEDDED} else {}))
    if len(query) > MAX_LINK:
        raise InputError(
            f"The link would have {len(query):,} characters; at most {MAX_LINK:,} survive being sent. Send the text."
        )
    return query


def read_query(query: Mapping[str, str], tabs: tuple[str, ...], hub_models: bool) -> Question:
    """Read a question from a query string, leaving nonsense out."""
    model, tab = query.get("model"), query.get("tab")
    return Question(
        query.get("q") or None,
        model if hub_models and model in _LINKED else None,
        tab if tab in tabs else None,
    )
