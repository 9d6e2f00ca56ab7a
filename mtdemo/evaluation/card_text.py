"""The section of a model card: the report of a measurement as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

ALL = "all"  # of the rows together, beside the names of sources


def render(report: Mapping[str, Any]) -> str:
    """Render a report as a card's section, in Markdown."""
    data, by_source, entities, classes = report["data"], report["by_source"], report["entities"], report["classes"]
    parts = [
        f"Written by `python -m mtdemo card --ner {data['entities']} --classification {data['classes']} "
        f"--similarity {data['similarity']}`{_against(report)}.",
        _intervals(by_source["entities"]),
        f"**Entities** by source; an entity is right when type, first and last word are{_touching(entities[ALL])}",
        source_table(by_source["entities"], report["against"], entities, ("precision", "recall")),
        _table(
            ("entity type", "entities", "precision", "recall", "F1"),
            ((label, s["support"], *_prf(s)) for label, s in entities[ALL]["per_label"].items()),
        ),
        "**Classes** by source; macro-F1 is over the classes that a source has:",
        source_table(by_source["classes"], report["against"], classes, ("accuracy",)),
        _table(
            ("class", "sentences", "precision", "recall", "F1"),
            ((label, s["support"], *_prf(s)) for label, s in classes[ALL]["per_label"].items()),
        ),
        _similarity(report["similarity"], by_source["similarity"], report["against"]),
        *(
            part
            for task, answers in (("classes", "classes"), ("entities", "entities found"))
            for part in _calibration(answers, report["calibration"][task])
        ),
    ]
    return "\n\n".join(parts)


def source_table(
    report: Mapping[str, Any],
    against: str | None = None,
    scores: Mapping[str, Mapping[str, float]] | None = None,
    more: Sequence[str] = (),
) -> str:
    """Render scores by source as a table, in Markdown.

    Args:
        report: as `mtdemo.evaluation.sources.SourceReport.as_dict` gives it.
        against: name of the model that it is compared with, if it is.
        scores: more of each source, and of all rows.
        more: which of these are columns.
    """
    has_entities, has_errors = report["items"] == "entities", report["items"] != "pairs"

    def row(name: str, found: Mapping[str, Any]) -> tuple[Any, ...]:
        extra = tuple((scores or {}).get(name, {}).get(key, "") for key in more)
        return (
            *(name, found["n_rows"], *(found["n_items"],) * has_entities, *extra, _estimate(found["score"])),
            *(("" if found["calibration_error"] is None else found["calibration_error"],) * has_errors),
            *((_estimate(found["other_score"]), _estimate(found["difference"])) if against else ()),
        )

    head = (
        *("source", "pairs" if report["items"] == "pairs" else "sentences", *("entities",) * has_entities, *more),
        *(report["metric"], *("calibration error",) * has_errors),
        *((f"{report['metric']} of {against}", "difference") if against else ()),
    )
    named = [(name_of_source(name), found) for name, found in report["sources"].items()]
    if report["mean"] is not None:
        named.insert(0, ("mean over sources", report["mean"]))
    return _table(head, (row(*each) for each in ((ALL, report["total"]), *named)))


def name_of_source(name: str) -> str:
    """Tell a source of that name from all rows."""
    return f"the source {ALL!r}" if name == ALL else name


def _estimate(found: Mapping[str, Any]) -> str:
    """Write a number with its interval: `0.702 (0.690 to 0.714)`."""
    value, lower, upper = ("–" if found[key] is None else f"{found[key]:.3f}" for key in ("value", "lower", "upper"))
    return f"{value} ({lower} to {upper})"


def _against(report: Mapping[str, Any]) -> str:
    return f", with `--against` {report['against']}" if report["against"] else ""


def _intervals(report: Mapping[str, Any]) -> str:
    """Say what the numbers in brackets are."""
    return (
        f"In brackets stands the interval of {100 * report['level']:.0f} % of {report['n_draws']:,} bootstrap samples of "
        f"the rows (seed {report['seed']}). In the mean over sources each counts alike, whatever its size."
    )


def _touching(found: Mapping[str, Any]) -> str:
    """Say how touching entities are counted, where there are any."""
    n_touching = found.get("n_touching", 0)
    if not n_touching:
        return ":"
    return (
        f". Touching entities of one type count apart, as conlleval counts them: {n_touching:,} gold entities directly "
        "follow another of their type, which a model with IO labels cannot tell from it:"
    )


def _similarity(found: Mapping[str, Any], report: Mapping[str, Any], against: str | None) -> str:
    over = f"**Similarity**: over {found['n_pairs']:,} pairs the cosine has"
    if found["spearman"] is None:
        return f"{over} the same value everywhere, so it has no correlation with people's ratings."
    total = report["total"]
    other = ""
    if against:
        other = f"; that of {against} is {_estimate(total['other_score'])}, the difference {_estimate(total['difference'])}"
    return (
        f"{over} a rank correlation (Spearman) of {_estimate(total['score'])} with people's ratings "
        f"(Pearson: {found['pearson']:.3f}){other}."
    )


def _calibration(answers: str, found: Mapping[str, Any]) -> tuple[str, str]:
    return (
        f"**Calibration of {answers}**: expected calibration error {found['error']:.3f}.",
        _table(
            ("confidence", answers, "mean confidence", "share right"),
            (
                (f"{b['lower']:.1f} to {b['upper']:.1f}", b["n_answers"], b["confidence"], b["share_right"])
                for b in found["bins"]
            ),
        ),
    )


def _prf(score: Mapping[str, Any]) -> tuple[float, float, float]:
    return score["precision"], score["recall"], score["f1"]


def _table(head: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> str:
    def cell(value: Any) -> str:
        if isinstance(value, str):  # a source is called anything: a bar or a line break would tear the table
            return re.sub(r"([\\|`*<>\[\]])", r"\\\1", " ".join(value.split()))
        return f"{value:.3f}" if isinstance(value, float) else f"{value:,}"

    lines = [head, ("---",) * len(head), *(tuple(map(cell, row)) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
