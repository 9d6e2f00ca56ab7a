from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import ask, open_tab

WHY = "Why & what if"


def test_the_tab_is_filled_when_it_is_opened_and_follows_the_box(page: Page) -> None:
    open_tab(page, WHY)
    expect(page.locator("#occlusion .word").first).to_be_visible()
    expect(page.locator("#pieces .piece").first).to_have_text("fetch")
    ask(page, "The waiter was rude.\nKöln is rainy 𒀀.")
    expect(page.locator("#occlusion")).to_contain_text("class negative")
    expect(page.locator("#occlusion .word", has_text="rude").first).to_be_visible()
    page.locator("#why-sentence input").click()
    page.get_by_role("option", name="2. Köln").click()
    expect(page.locator("#pieces .piece.unknown")).to_contain_text("unknown")


def test_every_question_is_answered_and_results_of_another_sentence_go(page: Page) -> None:
    ask(page, "The waiter was rude to Maria Lopez.\nThe service was terrible.")
    expect(page.locator("#answers .answer")).to_have_count(2)
    open_tab(page, WHY)
    version = page.locator("#what-if textarea")
    expect(version).to_have_value("The waiter was rude to Maria Lopez.")
    version.fill("The waiter was kind to Maria Lopez.")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#changes")).to_contain_text("the class turns from negative")
    for accordion, button, place, words in (
        ("Small changes that should not matter", "Try harmless variants", "#why-variants", "harmless variants"),
        ("Other names and places", "Try other names", "#why-names", "other names and places"),
        ("One answer by gradients", "Attribute", "#why-gradients", "Complete:"),
        ("Why are these two similar?", "Explain", "#why-pair", "The cosine of the two is"),
    ):
        page.get_by_role("button", name=accordion).click()
        page.locator(place).get_by_role("button", name=button, exact=True).click()
        expect(page.locator(place)).to_contain_text(words)
    page.locator("#why-sentence input").click()
    page.get_by_role("option", name="2. The service").click()
    expect(version).to_have_value("The service was terrible.")
    expect(page.locator("#changes")).not_to_contain_text("the class turns")


def test_markup_is_text_and_never_runs(page: Page) -> None:
    ask(page, "<img src=x onerror=alert(1)> John ${alert(2)}\n<script>alert(3)</script>")
    open_tab(page, WHY)
    expect(page.locator("#occlusion")).to_contain_text("onerror")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#changes")).to_contain_text("${alert(2)}")
    assert page.locator("img[src=x], [onerror]").count() == 0
