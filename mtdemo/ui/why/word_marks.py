"""Words of a sentence coloured by what they do, with their numbers, as HTML.

What a person wrote is escaped here, and stands in the page as text.
"""

from __future__ import annotations

import html
from collections.abc import Sequence

from mtdemo.analysis.explanation.deletion import DeletionCheck
from mtdemo.text.masking import Word

_FULL = 42  # percent of colour on the word with the largest effect; letters stay readable on it in both themes
_TOLD = 0.15  # of the largest effect, from which on a word carries its number
_LEAST = 0.1  # the effect that has full colour where none is larger, so that nothing looks like much


def mark_words(
    text: str, words: Sequence[Word], changes: Sequence[float], fates: Sequence[str] = (), supports: int = -1
) -> str:
    """Write a sentence with its words coloured.

    Args:
        text: the sentence.
        words: of it, in order.
        changes: one number per word.
        fates: what else became of the answer, said beside the number; empty where there is nothing to say.
        supports: the sign of the numbers of words that support the answer: -1 where a number is the change of the answer
            without the word, 1 where it is the word's part.
    """
    largest = max([_LEAST, *map(abs, changes)])
    parts, position = [], 0
    for place, (word, change) in enumerate(zip(words, changes, strict=True)):
        parts.append(html.escape(text[position : word.start]))
        fate = fates[place] if fates else ""
        parts.append(_mark(text[word.start : word.end], change, largest, fate, supports))
        position = word.end
    return "".join(parts) + html.escape(text[position:])


def _mark(word: str, change: float, largest: float, fate: str, supports: int) -> str:
    share = abs(change) / largest
    if share < _TOLD and not fate:
        return html.escape(word)
    side = "for" if change * supports > 0 else "against"
    told = f"{change:+.2f}".replace("-", "−") + (f" {html.escape(fate)}" if fate else "")
    return (
        f'<span class="word {side}" style="--share:{round(_FULL * share)}%">{html.escape(word)}'
        f"<small> {told}</small></span>"
    )


def describe_check(check: DeletionCheck | None) -> str:
    """Say if an order of words can be trusted."""
    if check is None:
        return '<p class="check">A single word has no order to check.</p>'
    kind = "check" if check.passes else "check warning"
    title = "Checked" if check.passes else "Not reliable"
    return f'<p class="{kind}"><b>{title}:</b> {html.escape(check.phrase)}.</p>'
