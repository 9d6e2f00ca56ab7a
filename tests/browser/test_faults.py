"""What first-time users met on the page, each as it must not come back.

Seventeen faults were met, and a test says which one it holds: faults 1, 10, 11, 14 and 15 here, 2, 3, 5, 8 and 9 in
`test_plan.py`, 4, 6 and 12 in `test_run.py`, 13 in `test_experiments.py`, 7 in `test_answers.py`, 16 and 17 in
`test_screens.py`. No message in the console (16) is a law of every visit.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import TABS, Visit, ask, open_tab

LONG = "The committee that nobody had asked for anything explained at great length why it could not explain itself, " * 4


@pytest.mark.parametrize("width", [375, 1280])
def test_the_class_of_a_long_line_is_on_the_screen(visit: Visit, width: int) -> None:
    """Fault 1 of those that users met."""
    with visit(width) as page:
        ask(page, f"{LONG}\nShort.")
        open_tab(page, "Classification")
        shown = page.locator("#classes .class")
        expect(shown).to_have_count(2)
        for box in (shown.nth(0).bounding_box(), shown.nth(1).bounding_box()):
            assert box and box["x"] >= 0 and box["x"] + box["width"] <= width


def test_the_card_of_the_model_breaks_no_word_on_a_phone(visit: Visit) -> None:
    """Fault 10 of those that users met."""
    with visit(375) as page:
        page.locator("#badge").click()
        expect(page.get_by_role("heading", name="How good it is")).to_be_visible()
        page.get_by_role("button", name="How it was made, and from what").click()
        expect(page.get_by_role("heading", name="How it was made", exact=True)).to_be_visible()
        narrow = page.locator("#panel .card td").evaluate_all(
            "cells => cells.filter(c => c.clientWidth < 40 && c.innerText.split(/\\s+/).some(w => w.length > 4)).length"
        )
        assert narrow == 0
        headings = page.locator("#panel h2, #panel h3").all_inner_texts()
        assert headings.index("How good it is") < headings.index("How it was made"), "what it is good for comes first"


def test_a_pair_of_strangers_is_not_called_similar(page: Page) -> None:
    """Fault 11 of those that users met."""
    ask(page, "The soup was cold.\nTaxes rose again in spring.\nShe plays the cello.")
    open_tab(page, "Embedding & similarity")
    page.get_by_role("button", name="Most and least similar pairs").click()
    expect(page.get_by_role("gridcell", name="the best, not near", exact=True).first).to_be_visible()
    expect(page.get_by_role("gridcell", name="most similar", exact=True)).to_have_count(0)


def test_one_sentence_leaves_no_empty_figure(page: Page) -> None:
    """Fault 14 of those that users met."""
    open_tab(page, "Embedding & similarity")
    ask(page, "Alone.")
    expect(page.get_by_text("With a second line, a map of the cosines stands here")).to_be_visible()
    expect(page.locator("#heatmap")).to_be_hidden()
    expect(page.get_by_role("button", name="Picture (PNG)").first).to_be_hidden()
    ask(page, "Alone.\nNot alone.")
    expect(page.locator("#heatmap .ytick")).to_have_count(2)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_load_that_failed_has_not_the_colour_of_success(visit: Visit, theme: str) -> None:
    """Fault 14 of those that users met."""
    with visit(theme=theme) as page:
        page.locator("#badge").click()
        border = "e => getComputedStyle(e).borderLeftColor"
        before = page.locator("#status").evaluate(border)
        page.get_by_role("button", name="Choose another model").click()
        page.get_by_label("Another model of the hub").click()
        page.get_by_label("Model id").fill("../../etc/passwd")
        page.get_by_role("button", name="Load and use this model").click()
        expect(page.locator("#status blockquote")).to_contain_text("is not a model id")
        assert page.locator("#status").evaluate(border) != before


def test_another_language_gets_a_word_of_warning(page: Page) -> None:
    """Fault 15 of those that users met."""
    ask(page, "Das Essen war kalt und der Kellner war unfreundlich.\n今天天气很好。\nThe food was cold.")
    cards = page.locator("#answers .answer")
    expect(cards.nth(0)).to_contain_text("1.7 pieces per word: the model knows few of these words whole")
    expect(cards.nth(1)).to_contain_text("an answer about it would mean nothing")
    expect(cards.nth(2).locator(".warning")).to_have_count(0)
    for name in TABS[1:4]:
        open_tab(page, name)
        expect(page.get_by_text("In fragments").locator("visible=true").first).to_be_visible()


def test_the_report_and_the_figure_are_handed_out(page: Page) -> None:
    for tab, button, ending in (
        (TABS[0], "Everything as a report (HTML)", "report.html"),
        (TABS[1], "Figure (HTML)", "similarity.html"),
        (TABS[1], "Picture (PNG)", ".png"),
    ):
        open_tab(page, tab)
        expect(page.locator("#answers .answer, #heatmap .ytick").locator("visible=true").first).to_be_visible()
        with page.expect_download() as download:
            page.get_by_role("button", name=button).locator("visible=true").click()
        assert download.value.suggested_filename.endswith(ending)


def test_the_report_is_read_without_any_request(page: Page, tmp_path: Path) -> None:
    with page.expect_download() as download:
        page.get_by_role("button", name="Everything as a report (HTML)").click()
    path = tmp_path / "report.html"
    download.value.save_as(path)
    for scheme, ground in (("light", "rgb(241, 245, 249)"), ("dark", "rgb(11, 15, 25)")):
        context = page.context.browser.new_context(color_scheme=scheme, viewport={"width": 375, "height": 800})
        report = context.new_page()
        asked: list[str] = []
        report.on("request", lambda request, asked=asked: asked.append(request.url))
        report.goto(f"file://{path}")
        expect(report.locator(".answer")).to_have_count(5)
        assert report.evaluate("getComputedStyle(document.body).backgroundColor") == ground
        assert report.evaluate("document.documentElement.scrollWidth") <= 375
        assert asked == [f"file://{path}"]
        context.close()
