from __future__ import annotations

from playwright.sync_api import Page, expect


def test_another_model_says_what_to_expect_before_it_is_loaded(page: Page) -> None:
    expect(page.locator("#badge")).to_have_text("embedded · bert · 6 layers")
    expect(page.locator("#panel .sidebar-content")).to_be_hidden()
    page.locator("#badge").click()
    expect(page.get_by_role("heading", name="How good it is")).to_be_visible()
    page.get_by_role("button", name="Choose another model").click()
    page.get_by_label("bert-large-uncased (24 layers)").first.click()
    expect(page.get_by_text("a poor sentence embedding by nature").first).to_be_visible()
    page.get_by_label("Another model of the hub").click()
    page.get_by_label("Model id").fill("../../etc/passwd")
    page.get_by_role("button", name="Load and use this model").click()
    expect(page.locator("#status")).to_contain_text("is not a model id")
    expect(page.locator("#status")).to_contain_text("The model in use stays in use.")
