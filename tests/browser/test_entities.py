from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import ask, open_tab


def test_examples_run_on_a_click(page: Page) -> None:
    open_tab(page, "Entities")
    page.get_by_role("button", name="Politics", exact=True).click()
    expect(page.get_by_role("gridcell", name="Angela Merkel", exact=True)).to_be_visible()
    expect(page.get_by_text("entities found").first).to_be_visible()


def test_markup_is_text_and_never_runs(page: Page) -> None:
    hostile = "<img src=x onerror=alert(1)> <b>Angela Merkel</b>"
    open_tab(page, "Entities")
    ask(page, "Sentences to search", hostile, "Find entities")
    expect(page.get_by_role("gridcell", name="Angela Merkel", exact=True)).to_be_visible()
    open_tab(page, "Embedding & similarity")
    ask(page, "Sentences to compare", f"{hostile}\n<script>alert(2)</script>", "Compare")
    expect(page.locator(".js-plotly-plot").first).to_contain_text("2. <script>alert(2)")
    assert page.locator("img[src='x']").count() == 0
    ask(page, "Sentences to compare", 'He said "no" & won\'t.\nYes.', "Compare")
    expect(page.locator(".js-plotly-plot").first).to_contain_text('1. He said "no" & won\'t.')


def test_no_entity_is_said(page: Page) -> None:
    open_tab(page, "Entities")
    ask(page, "Sentences to search", "nothing here has a name", "Find entities")
    expect(page.get_by_text("No entity found.")).to_be_visible()
