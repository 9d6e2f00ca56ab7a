"""Many sentences in a browser: ordered by a query, drawn on a map, and read by two models."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import ask, open_tab
from tests.browser.test_screens import violations

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
    page.locator("#map .modebar-btn[data-val=lasso]").click(force=True)
    area = page.locator("#map .nsewdrag").first.bounding_box()
    page.mouse.move(area["x"] + 5, area["y"] + 5)
    page.mouse.down()
    for x, y in ((0.95, 0.02), (0.95, 0.6), (0.02, 0.6), (0.02, 0.02)):
        page.mouse.move(area["x"] + x * area["width"], area["y"] + y * area["height"], steps=6)
    page.mouse.up()
    expect(page.get_by_text("sentences are selected").first).to_contain_text("of 8 sentences are selected.")
    page.get_by_label("Show only sentences that hold").fill("bank")
    page.get_by_label("Show only sentences that hold").press("Enter")
    expect(points).to_have_count(1)
    page.get_by_label("cluster", exact=True).click()
    expect(page.locator("#map .legendtext")).to_contain_text("cluster")
    open_tab(page, "Rank")
    open_tab(page, "Map")
    expect(page.locator("#map .legendtext")).to_contain_text("cluster")
    page.get_by_label("Show only sentences that hold").fill("")
    page.get_by_label("Show only sentences that hold").press("Enter")
    expect(points).to_have_count(8)


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
    expect(page.locator("#two-maps .js-plotly-plot")).to_be_visible()
    expect(page.get_by_text("disparity")).to_contain_text("disparity 0.00")
    assert violations(page) == []
