"""Texts that hold some words or match a regular expression, found within a bounded time."""

from __future__ import annotations

import time
from collections.abc import Sequence

import regex

from mtdemo.errors import InputError

MAX_PATTERN = 200  # characters
_MAX_SECONDS = 2.0  # for all texts together


def match_texts(texts: Sequence[str], pattern: str, is_regex: bool = False) -> list[bool]:
    """Tell which texts match, in any case of letters.

    Args:
        texts: to search.
        pattern: words, which stand in a text that matches; an empty one matches all.
        is_regex: whether it is a regular expression (of the library regex, which can be given a time) instead.

    Raises:
        InputError: it is too long, is no regular expression, or takes too long.
    """
    if len(pattern) > MAX_PATTERN:
        raise InputError(f"A filter has at most {MAX_PATTERN} characters, not {len(pattern):,}.")
    if not is_regex:
        wanted = pattern.strip().casefold()
        return [wanted in text.casefold() for text in texts]
    end = time.monotonic() + _MAX_SECONDS
    try:
        compiled = regex.compile(pattern, regex.IGNORECASE)
        return [compiled.search(text, timeout=max(end - time.monotonic(), 1e-3)) is not None for text in texts]
    except regex.error as error:
        raise InputError(f"This is no regular expression: {error}.") from error
    except TimeoutError as error:
        raise InputError("This regular expression takes too long on these sentences; make it simpler.") from error
