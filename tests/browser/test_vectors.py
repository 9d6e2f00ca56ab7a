"""Many sentences in a browser: ordered by a query, drawn on a map, and read by two models."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import ask, open_tab

TEXT = "\n".join(
    (
        "A dog barks.", "A puppy is barking.", "The cat sleeps.", "Kittens play all day.", "Taxes rose again.",
        "The bank raised its rates.", "Prices fell in March.", "The market opened late.",
    )
)  # fmt: skip


def test_a_query_orders_the_sentences(page: Page) -> None:
    open_tab(page, "Embedding & similarity")
    ask(page, TEXT)
    open_tab(page, "Rank")
    page.get_by_label("Query: the sentences").fill("a barking dog")
    page.get_by_role("button", name="Rank", exact=True).click()
    first = page.locator("#ranked .answer").first
    expect(first).to_contain_text("A dog barks.")
    expect(first).to_contain_text("random pairs")
    expect(page.locator("#cosines .js-plotly-plot")).to_be_visible()


def test_a_click_on_a_point_shows_its_neighbours(page: Page) -> None:
    open_tab(page, "Embedding & similarity")
    ask(page, TEXT)
    open_tab(page, "Map")
    points = page.locator("#map .scatterlayer .point")
    expect(points).to_have_count(8)
    points.first.scroll_into_view_if_needed()
    box = points.first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    expect(page.locator("#map .hoverlayer .hovertext")).to_be_visible()
    page.mouse.click(x, y)
    expect(page.locator("#neighbours .answer")).to_have_count(8)
    number = page.locator("#map-point input").input_value()
    expect(page.locator("#neighbours .answer").first.locator(".number")).to_have_text(number)
    page.get_by_label("Show only sentences that hold").fill("bank")
    page.get_by_label("Show only sentences that hold").press("Enter")
    expect(points).to_have_count(1)


def test_a_model_agrees_with_itself(page: Page) -> None:
    ask(page, TEXT)
    expect(page.locator("#work")).to_contain_text("8 sentences")
    open_tab(page, "Compare")
    choice = page.get_by_label("Compare the model in use with")
    choice.fill("embedded")
    choice.press("Enter")
    page.get_by_role("button", name="Compare", exact=True).click()
    expect(page.locator("#disagreements .answer")).to_have_count(8)
    expect(page.locator("#disagreements")).to_contain_text("the same answers")
