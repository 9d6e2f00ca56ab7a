"""A judgement of the embedded model on development sentences: the tables of docs/judgement.md.

    python -m benchmarks.judgement DATA [--each 250] [--seed 20]
    python -m benchmarks.judgement

Without DATA only the sentences that the document quotes are read, and linked. DATA has `sentiment/dev.jsonl` and
`ner/dev.jsonl`, whose rows are drawn by the seed, as many of each. All numbers come from the questions that the page asks:
scores against labels, variants, other names, hidden words. One process, some ten minutes.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from urllib.parse import urlencode

import numpy as np

from mtdemo.analysis.explanation.occlusion import Occlusion
from mtdemo.analysis.explanation.stability import Outcome, Stability
from mtdemo.analysis.explanation.swaps import PEOPLE
from mtdemo.config import Settings, prepare_environment
from mtdemo.data.readers import read_labelled, read_tagged
from mtdemo.data.records import LabelledSentence, TaggedSentence
from mtdemo.evaluation.examination import examine_classes, examine_entities
from mtdemo.serving.explainer import Explainer
from mtdemo.serving.service import ModelService
from mtdemo.ui.components.link import write_query

ADDRESS = "http://127.0.0.1:7860/"
EXHIBITS = (  # what a link shows, a sentence, and another version of it
    (
        "not, and still negative",
        "The picture resolution is far below what other comparably-priced phones are offering today.",
        "The picture resolution is not far below what other comparably-priced phones are offering today.",
    ),
    ("not, and still negative", "The temperature is too damn low.", "The temperature is not too damn low."),
    ("two letters change places", "This girl is my hero.", "This girl is my hreo."),
    (
        "no capitals, less sure of the name",
        "The latest Adam Sandler assault and possibly the worst film of the year.",
        "the latest adam sandler assault and possibly the worst film of the year.",
    ),
    (
        "quotation marks",
        "This is absolutely the proper place to post this.",
        '"This is absolutely the proper place to post this."',
    ),
    (
        "another first name",
        "Is it me or did Emily sound like a car locking",
        "Is it me or did Zofia sound like a car locking",
    ),
    (
        "a list without commas",
        "The label was restarted in 2006 by Julie Doiron , Jon Claytor and Paul Henderson .",
        "The label was restarted in 2006 by Julie Doiron Jon Claytor and Paul Henderson .",
    ),
    ("one word carries the class", "I feel like my dream just got crushed"),
)
THRESHOLDS = (0.5, 0.6, 0.7, 0.8, 0.9)
NEUTRAL = "neutral"
EVERY = 5  # sentence whose words are hidden one by one, which takes some 130 readings


def draw(data: Path, each: int, seed: int) -> tuple[list[LabelledSentence], list[TaggedSentence]]:
    """Draw rows of both files, which have no repeated sentence."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    labelled, tagged = read_labelled(data / "sentiment" / "dev.jsonl"), read_tagged(data / "ner" / "dev.jsonl")
    return chance.sample(labelled, each), chance.sample(tagged, each)


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    print(f"\n**{title}**\n\n| {' | '.join(columns)} |\n|{' --- |' * len(columns)}")
    for row in rows:
        print(f"| {' | '.join(f'{cell:.3f}' if isinstance(cell, float) else str(cell) for cell in row)} |")


def show_why(texts: Sequence[str]) -> dict[str, str]:
    """Name the tab, and the part of it that compares versions."""
    return {"tab": "why"} | ({"panels": "what-if", "what-if-version": texts[1]} if len(texts) > 1 else {})


def exhibit_rows(service: ModelService) -> list[tuple[str, str, str, str, str]]:
    """Read what the document quotes, and link to it."""
    rows = []
    for title, *texts in EXHIBITS:
        link = f"[{title}]({ADDRESS}?{write_query(texts[0], None)}&{urlencode(show_why(texts))})"
        first, *_ = answers = service.analyze(texts).sentences
        for answer in answers:
            names = ", ".join(f"{found.text} {found.label} {found.score:.2f}" for found in answer.entities) or "none"
            cosine = "" if answer is first else f"{first.cosine_to(answer):.3f}"
            label = f"{answer.label} {answer.probabilities[answer.label]:.2f}"
            rows.append(("" if answer is not first else link, answer.text, label, names, cosine))
    return rows


def share(part: int, whole: int) -> str:
    """Write a count and its percentage: `12 of 50 (24%)`."""
    return f"{part:,} of {whole:,} ({100 * part / max(1, whole):.0f}%)"


def print_scores(service: ModelService, labelled: list[LabelledSentence], tagged: list[TaggedSentence]) -> None:
    """Hold the answers against labels and tags."""
    answers = service.analyze([row.text for row in labelled])
    classes = examine_classes(labelled, answers.sentences, answers.model)
    entities = examine_entities(tagged, service.analyze([row.text for row in tagged]).sentences)
    sure = [classes.confidences[place] for place in classes.mistakes]
    print_table(
        "Scores",
        ("what", "value"),
        (
            ("accuracy", classes.accuracy.phrase),
            ("macro-F1", classes.macro_f1.phrase),
            ("calibration error of the classes", classes.calibration.error),
            ("wrong classes given with at least 0.9", share(sum(value >= 0.9 for value in sure), len(sure))),
            ("F1 of the entities", entities.f1.phrase),
            *((f"entity errors: {kind}", share(n, len(entities.errors))) for kind, n in entities.counts.items()),
        ),
    )
    abstained = [classes.abstain(threshold) for threshold in THRESHOLDS]
    print_table(
        "Answering only where it is sure",
        ("confidence at least", "coverage", "accuracy"),
        ((one.threshold, one.coverage, one.accuracy if one.accuracy is not None else "") for one in abstained),
    )
    by_label: dict[str, list[bool]] = defaultdict(list)
    for gold, predicted in zip(classes.gold, classes.predicted, strict=True):
        by_label[f"{gold}, taken for {predicted}"].append(gold != predicted)
    wrong = sorted(((len(found), name) for name, found in by_label.items() if found[0]), reverse=True)
    print_table("Wrong classes", ("label", "sentences"), ((name, n) for n, name in wrong))


def print_variants(found: Sequence[Stability], kind_of: Callable[[Outcome], str], title: str) -> None:
    """Count what harmless changes change, by kind."""
    groups: dict[str, list[tuple[Outcome, bool]]] = defaultdict(list)
    for one in found:
        for outcome in one.outcomes:
            groups[kind_of(outcome)].append((outcome, bool(one.analysis.entities)))
    rows = []
    for kind, outcomes in groups.items():
        named = [outcome for outcome, has_names in outcomes if has_names]
        rows.append(
            (
                kind,
                share(sum(outcome.change.changes_class for outcome, _ in outcomes), len(outcomes)),
                share(sum(outcome.change.changes_entities for outcome in named), len(named)),
                float(np.mean([outcome.change.cosine for outcome, _ in outcomes])),
            )
        )
    print_table(title, ("change", "class changes", "an entity changes, where there was one", "mean cosine"), rows)


def print_negations(found: Sequence[Stability]) -> None:
    """Count the negations after which the class stays."""
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for one in found:
        if one.opposite and one.analysis.label != NEUTRAL:
            note = one.opposite.variant.note
            groups["not, after a verb" if note.endswith(" not") else note].append(one.opposite)
    rows = [
        (
            kind,
            share(sum(not outcome.change.changes_class for outcome in outcomes), len(outcomes)),
            float(np.mean([outcome.change.cosine for outcome in outcomes])),
        )
        for kind, outcomes in groups.items()
    ]
    print_table("Negations of positive and negative sentences", ("negated by", "class stays", "mean cosine"), rows)


def print_names(found: Sequence[Stability]) -> None:
    """Count what other names change, by group."""
    groups: dict[str, list[Outcome]] = defaultdict(list)
    for one in found:
        for outcome in one.outcomes:
            groups[outcome.variant.kind].append(outcome)
    print_table(
        "Other names and places",
        ("group", "the new name is found whole", "class changes", "positive less negative, mean"),
        (
            (
                group,
                share(sum(is_found(outcome) for outcome in outcomes), len(outcomes)),
                share(sum(outcome.change.changes_class for outcome in outcomes), len(outcomes)),
                float(np.mean([lean(outcome) for outcome in outcomes])),
            )
            for group, outcomes in groups.items()
        ),
    )


def is_found(outcome: Outcome) -> bool:
    """Tell if the name that was put is an entity of its type."""
    put = outcome.variant.note.partition(" → ")[2]
    label = "PER" if outcome.variant.kind in PEOPLE else "LOC"
    return any((entity.text, entity.label) == (put, label) for entity in outcome.change.after.entities)


def lean(outcome: Outcome) -> float:
    probabilities = outcome.change.after.probabilities
    return probabilities["positive"] - probabilities["negative"]


def print_words(found: Sequence[Occlusion]) -> None:
    """Count the answers whose words can be trusted."""
    checks: dict[str, list[bool]] = defaultdict(list)
    for one in found:
        for target, check in zip(one.targets, one.checks, strict=True):
            if check:
                checks[target.kind].append(check.passes)
    turned = sum(any(label != one.analysis.label for label in one.labels) for one in found)
    rows = [(f"the check of the words passes: {kind}", share(sum(passed), len(passed))) for kind, passed in checks.items()]
    rows.append(("hiding one word turns the class", share(turned, len(found))))
    print_table("Words", ("what", "sentences or answers"), rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--each", type=int, default=250)
    parser.add_argument("--seed", type=int, default=20)
    given = parser.parse_args()
    prepare_environment()
    service = ModelService(Settings())
    print_table("Views", ("view", "sentence", "class", "entities", "cosine to the first"), exhibit_rows(service))
    if given.data is None:
        return
    explainer = Explainer(service)
    labelled, tagged = draw(given.data, given.each, given.seed)
    texts = [row.text for row in (*labelled, *tagged)]
    print(f"\n{len(labelled):,} labelled and {len(tagged):,} tagged sentences, seed {given.seed}")
    print_scores(service, labelled, tagged)
    tried = [explainer.try_variants(text).result for text in texts]
    print_variants(tried, lambda outcome: outcome.variant.kind, "Harmless changes")
    cased = [one for one in tried if one.analysis.entities]
    is_case = {"letter case", "punctuation"}
    print_variants(
        [Stability(one.analysis, tuple(o for o in one.outcomes if o.variant.kind in is_case)) for one in cased],
        lambda outcome: outcome.variant.note,
        "Case and marks, in sentences with names",
    )
    print_negations(tried)
    print_names([explainer.swap_names(text).result for text in texts])
    print_words([explainer.occlude(text).result for text in texts[::EVERY]])


if __name__ == "__main__":
    main()
