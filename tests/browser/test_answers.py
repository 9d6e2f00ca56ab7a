"""The box, and all answers to what stands in it."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from mtdemo.ui.components.examples import MISTAKES
from tests.browser.conftest import TABS, Visit, ask, open_tab

HOSTILE = "<img src=x onerror=alert(1)> Angela Merkel ${alert(2)} {{constructor}}"
STALE = "Changed since it was read"


def work(page: Page) -> str:
    return page.locator("#work").inner_text()


def test_one_reading_answers_everywhere_and_the_first_screen_is_useful(page: Page) -> None:
    cards = page.locator("#answers .answer")
    expect(cards).to_have_count(5)
    assert cards.first.bounding_box()["y"] < 430
    expect(cards.last).to_contain_text("Microsoft ORG 0.")
    ask(page, "Ada met Charles in Turin.\nWhat a rainy day this was.\nThe soup was wonderful today.")
    expect(cards).to_have_count(3)
    expect(page.locator("#work")).to_contain_text("3 sentences")
    expect(page.locator("#work")).to_contain_text("1 pass ·")
    for name, content in zip(TABS[1:4], ("#heatmap .ytick", "#classes .answer", "#spans"), strict=True):
        open_tab(page, name)
        expect(page.locator(content).locator("visible=true").first).to_be_visible()
    expect(page.get_by_text("3 entities found.")).to_be_visible()
    page.locator("#read").click()
    expect(page.locator("#work")).to_contain_text("0 passes · 3 from the cache")


def test_the_classes_that_lost_show_on_focus_and_on_hover(page: Page) -> None:
    first, second = page.locator("#answers .class").nth(0), page.locator("#answers .class").nth(1)
    expect(first.locator(".others")).to_be_hidden()
    first.focus()
    expect(first.locator(".others")).to_be_visible()
    expect(first.locator(".others")).to_contain_text("negative")
    second.hover()
    expect(second.locator(".others")).to_be_visible()


def test_keys_read_and_what_is_not_read_is_stale(page: Page) -> None:
    box = page.locator("#sentences textarea")
    for number, keys in enumerate(("Control+Enter", "Shift+Enter")):
        box.fill(f"The train was late {number} times.")
        expect(page.locator("#stale")).to_contain_text(STALE)
        expect(page.locator("body")).to_have_class(re.compile("stale"))
        box.press(keys)
        expect(page.locator("#answers .answer")).to_have_count(1)
        expect(page.locator("#answers")).to_contain_text(f"late {number} times")
        expect(page.locator("#stale")).to_be_empty()
        assert box.input_value() == f"The train was late {number} times.", "the keys leave no line behind"


def test_an_error_stands_once_beside_the_box_and_the_answers_stay(page: Page) -> None:
    """Fault 7 of those that users met."""
    for text, words in ((" \n ", "There is nothing to read yet"), ("x" * 50_001, "It has 50,001 characters")):
        ask(page, text)
        expect(page.get_by_role("alert")).to_have_count(1)
        expect(page.get_by_role("alert")).to_contain_text(words)
        expect(page.locator("#answers .answer")).to_have_count(5)
        expect(page.locator(".toast-wrap .toast-body")).to_have_count(0)
    ask(page, "One.\nTwo.")
    expect(page.locator("#answers .answer")).to_have_count(2)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_markup_is_text_and_never_runs(page: Page) -> None:
    ask(page, f"{HOSTILE}\n<script>alert(3)</script>")
    expect(page.locator("#answers .answer")).to_have_count(2)
    expect(page.locator("#answers")).to_contain_text("onerror=alert(1)> Angela Merkel")
    expect(page.locator("#answers")).to_contain_text("${alert(2)} {{constructor}}")
    open_tab(page, "Embedding & similarity")
    expect(page.locator(".js-plotly-plot").first).to_contain_text("2. <script>alert(3)")
    for name in ("Classification", "Entities"):
        open_tab(page, name)
        expect(page.get_by_text("alert(1)").locator("visible=true").first).to_be_visible()
    assert page.locator("img[src=x], [onerror]").count() == 0
    ask(page, 'He said "no" & won\'t.\nYes.')
    open_tab(page, "Embedding & similarity")
    expect(page.locator(".js-plotly-plot").first).to_contain_text('1. He said "no" & won\'t.')


def test_an_example_is_read_on_a_click_and_says_what_it_teaches(page: Page) -> None:
    """Fault 11 of those that users met."""
    page.get_by_role("button", name="It gets these wrong").click()
    expect(page.locator("#answers .answer")).to_have_count(len(MISTAKES))
    expect(page.locator("#lesson")).to_contain_text("sarcasm")
    expect(page.locator("#stale")).to_be_empty()
    page.locator("#sentences textarea").fill("My own words.")
    expect(page.locator("#lesson")).to_be_hidden()
    page.get_by_role("button", name="A negation").click()
    expect(page.locator("#lesson")).to_contain_text("Opposites are neighbours")


def test_unknown_pieces_get_a_sentence_instead_of_a_class(page: Page) -> None:
    """Fault 15 of those that users met."""
    ask(page, "今天天气很好。\nI love it ᚠ\nAll is well.")
    card = page.locator("#answers .answer").first
    expect(card).to_contain_text("4 of its pieces are unknown to this model")
    expect(card).to_contain_text("no class")
    expect(page.locator("#answers .answer").nth(1)).to_contain_text("1 unknown")
    expect(page.locator("#work")).to_contain_text("5 unknown")


def test_many_sentences_are_a_table_that_turns_its_pages(page: Page) -> None:
    ask(page, "\n".join(f"Sentence number {n}." for n in range(1, 61)))
    rows = page.locator("#answers tbody tr").locator("visible=true")
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="51–60").click()
    expect(rows).to_have_count(10)
    expect(page.locator("#answers")).to_contain_text("Sentence number 60.")
    page.get_by_role("button", name="1–50", exact=True).click()
    expect(rows).to_have_count(50)
    page.get_by_role("button", name="51–60").click()
    expect(rows).to_have_count(10)


def test_a_link_brings_the_question_and_its_tab_back(page: Page, visit: Visit) -> None:
    ask(page, "Ada & Charles?\nFine.")
    open_tab(page, "Entities")
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#stale")).to_contain_text("address bar")
    query = urlsplit(page.url).query
    assert parse_qs(query) == {"q": ["Ada & Charles?\nFine."], "tab": ["entities"]}
    page.locator("#sentences textarea").fill("x" * 3_000)
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("alert")).to_contain_text("survive being sent")
    with visit(query=f"&{query}") as other:
        expect(other.get_by_role("tab", name="Entities")).to_have_attribute("aria-selected", "true")
        expect(other.locator("#sentences textarea")).to_have_value("Ada & Charles?\nFine.")
        open_tab(other, TABS[0])
        expect(other.locator("#answers .answer")).to_have_count(2)


def test_a_link_opens_the_part_that_was_open_with_what_was_set_there(page: Page, visit: Visit) -> None:
    ask(page, "The waiter was rude.\nThe soup was cold.\nTaxes rose.\nRates fell.")
    open_tab(page, "Embedding & similarity")
    open_tab(page, "Map")
    page.get_by_label("t-SNE").click()
    page.get_by_label("cluster", exact=True).click()
    page.get_by_role("button", name="Copy link").click()
    expect(page.locator("#stale")).to_contain_text("address bar")
    of_map = urlsplit(page.url).query
    assert parse_qs(of_map)["map-method"] == ["t-SNE"]
    open_tab(page, "Why & what if")
    expect(page.locator("#occlusion .word").first).to_be_visible()
    page.locator("#what-if textarea").fill("The waiter was kind & quick.")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#changes")).to_contain_text("the class turns")
    page.get_by_role("button", name="Why are these two similar?").click()
    page.get_by_role("button", name="Copy link").click()
    expect(page).to_have_url(re.compile("panels=what-if"))
    with visit(query=f"&{of_map}") as other:
        expect(other.locator("#map .js-plotly-plot")).to_be_visible()
        expect(other.get_by_label("t-SNE")).to_be_checked()
        expect(other.get_by_label("cluster", exact=True)).to_be_checked()
    with visit(query=f"&{urlsplit(page.url).query}") as other:
        expect(other.locator("#changes")).to_contain_text("the class turns from negative")
        expect(other.locator("#what-if textarea")).to_have_value("The waiter was kind & quick.")
        expect(other.locator("#why-pair")).to_contain_text("The cosine of the two is")


@pytest.mark.parametrize("name", TABS[:4])
def test_answers_are_taken_along(page: Page, tmp_path: Path, name: str) -> None:
    open_tab(page, name)
    buttons = page.locator(".downloads :is(button, a)", has_text="Download").locator("visible=true")
    expect(buttons).to_have_count(3)
    for number in range(3):
        expect(buttons.nth(number)).to_be_enabled()
        with page.expect_download() as download:
            buttons.nth(number).click()
        path = tmp_path / download.value.suggested_filename
        download.value.save_as(path)
        if path.suffix == ".npy":
            assert np.load(path).shape == (5, 384)
        else:
            assert ("iPhone" if name == "Entities" else "Fetch Rewards") in path.read_text()
            assert path.stem.removeprefix(path.stem.split("-")[0]) in ("-for-spreadsheets", "-exact", "")
