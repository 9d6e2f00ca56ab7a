from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import ask, open_tab


def test_spans_are_marked_and_stand_in_a_table(page: Page) -> None:
    open_tab(page, "Entities")
    page.get_by_role("button", name="Names", exact=True).click()
    expect(page.get_by_text("entities found").locator("visible=true").first).to_be_visible()
    page.get_by_role("button", name="As a table, with scores and places").click()
    expect(page.get_by_role("gridcell", name="Angela Merkel", exact=True)).to_be_visible()


def test_no_entity_is_said(page: Page) -> None:
    open_tab(page, "Entities")
    ask(page, "nothing here has a name")
    expect(page.get_by_text("No entity found.")).to_be_visible()
