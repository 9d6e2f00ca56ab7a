"""The report is a file of its own: it loads nothing, runs nothing, and what was typed is text in it."""

from __future__ import annotations

import re

import pytest

from mtdemo.data.loaded_file import LoadedFile
from mtdemo.ui.report import POLICY, render_report, report_css, write_report
from tests.ui.components.test_cards import HOSTILE, OURS, Reader
from tests.ui.conftest import FakeService

SHELL = {"html", "head", "meta", "title", "style", "body", "main", "h1", "h2"}


@pytest.mark.parametrize("n_times", [1, 20])
def test_what_was_typed_is_text_and_nothing_is_loaded_or_run(fake: FakeService, n_times: int) -> None:
    file = LoadedFile(HOSTILE[0], HOSTILE, ("a", HOSTILE[1]), (("", ""),) * 5, "a", notes=(HOSTILE[2],))
    report = render_report(fake.similarity(HOSTILE * n_times), file)
    page = Reader(report)
    assert page.tags <= OURS | SHELL
    assert not {name for name in page.attributes if name.startswith("on") or name in {"src", "href"}}
    assert all(hostile in page.text for hostile in HOSTILE)
    assert f'content="{POLICY}"' in report and "'none'" in POLICY and "script" not in POLICY
    assert not re.search(r"url\(|@import|https?://", report)


def test_it_has_all_answers_and_every_row_of_a_long_table_is_seen(fake: FakeService) -> None:
    text = Reader(render_report(fake.similarity(["Ada met Bob", "x", "y"]))).text
    for words in ("3 sentences · 11 pieces", "Model fake: bert, 2 layers", "PER 0.75", "yes 0.75", "Pairs that stand out"):
        assert words in text, words
    many = render_report(fake.similarity([f"word {n}" for n in range(120)]))
    assert many.count("<tr>") > 170 and "tbody[hidden] { display: table-row-group; }" in many
    assert "Cosine similarity of the first 50" in many
    assert "Cosine similarity" not in render_report(fake.similarity(["alone"]))


def test_it_is_dark_where_the_readers_system_is() -> None:
    style = report_css()
    light, dark = style.split("@media (prefers-color-scheme: dark) {", 1)
    assert "--ink: #0f172a" in light and "--ink: #e8eef7" in dark
    assert ".hue-teal { --hue: #0f766e; }" in light and ".hue-teal { --hue: #6ee7d8; }" in dark
    assert ".dark" not in style.replace(".dark-cell", "") and style.count("{") == style.count("}")


def test_it_is_written_of_what_was_read(fake: FakeService) -> None:
    content, name = write_report(fake, "One.\nTwo.", "mine", None)
    assert name == "mtdemo-report.html" and content.startswith(b"<!doctype html>")
    assert fake.asked == [(("One.", "Two."), "mine")]
