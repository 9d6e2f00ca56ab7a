from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import TABS, ask, open_tab


def test_classes_are_bars_and_their_numbers_a_table(page: Page) -> None:
    open_tab(page, "Classification")
    ask(page, "What a waste of money.")
    bars = page.get_by_test_id("label-output-value")
    expect(bars).to_have_text("negative")
    ask(page, "What a waste of money.\nI love it!")
    expect(bars).to_be_hidden()
    expect(page.locator("#classes .answer")).to_have_count(2)
    page.get_by_role("button", name="As a table").locator("visible=true").click()
    expect(page.get_by_role("gridcell", name="I love it!", exact=True)).to_be_visible()


def test_a_tab_speaks_of_the_labels_of_the_model_that_is_ready(page: Page) -> None:
    open_tab(page, "Classification")
    expect(page.get_by_text("This model's classes: negative, neutral, positive.")).to_be_visible()
    open_tab(page, "Entities")
    expect(page.get_by_text("PER: a person · ORG: an organisation")).to_be_visible()
    open_tab(page, TABS[-1])
    page.get_by_role("button", name="Learn your own labelled sentences instead").click()
    expect(page.get_by_text("Rome B-LOC")).to_be_visible()
