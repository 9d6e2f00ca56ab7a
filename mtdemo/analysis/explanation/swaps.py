"""Other names and places in a sentence: its class should not depend on who or where it is about.

After Prabhakaran et al. 2019, Perturbation Sensitivity Analysis (https://arxiv.org/abs/1910.04210). The lists are short and
made by hand: they can show a bias, and never that there is none.
"""

from __future__ import annotations

from collections.abc import Iterator

from mtdemo.analysis.explanation.variants import Variant
from mtdemo.results import Entity, SentenceAnalysis

PEOPLE: dict[str, tuple[str, ...]] = {  # first and last name
    "English, women": ("Emily Clark", "Sarah Miller"),
    "English, men": ("James Clark", "Peter Miller"),
    "Spanish, women": ("Lucía García", "Carmen Ruiz"),
    "Spanish, men": ("Carlos García", "Diego Ruiz"),
    "Arabic, women": ("Fatima Haddad", "Amina Khalil"),
    "Arabic, men": ("Ahmed Haddad", "Omar Khalil"),
    "Chinese, women": ("Mei Chen", "Xiuying Wang"),
    "Chinese, men": ("Wei Chen", "Jianguo Wang"),
    "Indian, women": ("Priya Sharma", "Ananya Patel"),
    "Indian, men": ("Rahul Sharma", "Arjun Patel"),
    "Nigerian, women": ("Ngozi Okafor", "Adaeze Eze"),
    "Nigerian, men": ("Chinedu Okafor", "Emeka Eze"),
    "Polish, women": ("Agnieszka Nowak", "Zofia Lewandowska"),
    "Polish, men": ("Tomasz Nowak", "Piotr Lewandowski"),
}
PLACES: dict[str, tuple[str, ...]] = {
    "Europe": ("London", "Paris", "Berlin", "Warsaw", "Moscow"),
    "America": ("New York", "Chicago", "Mexico City", "Lima"),
    "Africa": ("Lagos", "Cairo", "Nairobi"),
    "Asia": ("Mumbai", "Beijing", "Tokyo", "Baghdad", "Kabul"),
}
_PERSON, _PLACE = {"PER", "PERSON"}, {"LOC", "GPE", "LOCATION"}


def swap_names(analysis: SentenceAnalysis) -> list[Variant]:
    """Put other people and places into a sentence.

    The first person and the first place that the model finds are replaced, wherever their names stand. A single name is
    replaced by a first name. Pronouns stay as they are.

    Returns:
        Versions by group of names; none where neither a person nor a place is found.
    """
    return [*_swaps(analysis, _PERSON, PEOPLE), *_swaps(analysis, _PLACE, PLACES)]


def _swaps(analysis: SentenceAnalysis, types: set[str], groups: dict[str, tuple[str, ...]]) -> Iterator[Variant]:
    found = next((entity for entity in analysis.entities if entity.label.upper() in types), None)
    if found is None:
        return
    for group, names in groups.items():
        for name in names:
            is_first_name = groups is PEOPLE and " " not in found.text
            put = name.split(" ")[0] if is_first_name else name
            if put != found.text:
                yield Variant(group, f"{found.text} → {put}", _replaced(analysis, found, put))


def _replaced(analysis: SentenceAnalysis, found: Entity, put: str) -> str:
    """Put a name wherever an entity was found."""
    text = analysis.text
    for entity in reversed(analysis.entities):
        if entity.text == found.text and entity.label == found.label:
            text = text[: entity.start] + put + text[entity.end :]
    return text
