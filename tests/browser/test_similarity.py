from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit, ask, open_tab


def test_similarity_shows_a_heat_map_pairs_and_values(page: Page) -> None:
    open_tab(page, "Embedding & similarity")
    ask(page, "A dog barks.\nA puppy is barking.\nTaxes rose again.")
    expect(page.locator(".js-plotly-plot .ytick")).to_have_count(3)
    expect(page.locator(".js-plotly-plot").first).to_contain_text("2. A puppy is barking")
    page.get_by_role("button", name="Most and least similar pairs").click()
    expect(page.get_by_role("gridcell", name="most similar", exact=True).first).to_be_visible()


def test_on_a_phone_the_map_scrolls_in_its_frame_and_the_sentences_stay(visit: Visit) -> None:
    with visit(375) as page:
        open_tab(page, "Embedding & similarity")
        ask(page, "\n".join(f"Sentence number {n}." for n in range(1, 13)))
        frame, cells = page.locator(".grid"), page.locator(".grid td")
        expect(cells).to_have_count(144)
        assert cells.first.bounding_box()["width"] >= 28
        frame.evaluate("e => { e.scrollLeft = 200 }")
        assert page.locator(".grid tbody th").first.bounding_box()["x"] < 40
        assert page.evaluate("document.documentElement.scrollWidth") <= 375
