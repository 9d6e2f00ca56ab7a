"""A person plans: locks, scenarios, sliders and fields tell the truth about one another, on every screen."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import TABS, Visit, open_tab


def totals(page: Page) -> Locator:
    return page.locator(".totals").first


def open_plan(page: Page) -> None:
    open_tab(page, TABS[-1])
    expect(totals(page)).to_contain_text("22,717,064")


def lock(page: Page, part: str) -> Locator:
    return page.get_by_role("button", name=f"Lock {part}", exact=True)


def choose(page: Page, scenario: str) -> None:
    page.get_by_label(scenario, exact=True).first.click()
    expect(page.locator(".origin")).to_contain_text(f"{scenario}.")


def expect_frozen(page: Page, parts: Sequence[str]) -> None:
    expect(page.locator('.part[data-trains="none"] .part-title')).to_have_text(list(parts))


def test_numbers_follow_locks_scenario_backbone_and_toggles(page: Page) -> None:
    open_plan(page)
    choose(page, "Freeze the backbone")
    expect(totals(page)).to_contain_text("150,920")
    expect(page.locator(".warnings:visible")).to_have_count(0)
    choose(page, "Freeze the whole network")
    expect(page.locator(".facts").first).to_contain_text("Nothing trains")
    page.get_by_role("button", name="What trains inside the parts").click()
    page.get_by_label("Add a new output layer").click()
    expect(totals(page)).to_contain_text("1,155")
    lock(page, "the entity head").click()
    expect(totals(page)).to_contain_text("3,080")
    page.get_by_label("bert-base-uncased (12 layers)").last.click()
    expect(totals(page)).to_contain_text("109,490,699")
    expect(lock(page, "layer 12")).to_be_visible()
    choose(page, "Freeze the entity head")
    expect(page.locator(".facts").first).to_contain_text("freezing a head does not protect its task")


def test_a_lock_is_a_button_for_the_mouse_and_for_the_keyboard(page: Page) -> None:
    open_plan(page)
    expect(lock(page, "layer 6")).to_have_attribute("aria-pressed", "false")
    lock(page, "layer 6").click()
    expect(lock(page, "layer 6")).to_have_attribute("aria-pressed", "true")
    expect(totals(page)).to_contain_text("20,942,600")
    page.locator('[data-part="layer_4"] .part-title').click()
    expect_frozen(page, ["layer 6", "layer 5"])
    lock(page, "layer 6").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(lock(page, "layer 4")).to_be_focused()
    page.keyboard.press("Space")
    expect_frozen(page, ["layer 6", "layer 5", "layer 4"])
    expect(totals(page)).to_contain_text("17,393,672")
    expect(lock(page, "layer 4")).to_be_focused()
    page.keyboard.press("Home")
    expect(lock(page, "the entity head")).to_be_focused()
    for _ in range(4):  # faster than the server answers
        page.keyboard.press("Enter")
    expect(totals(page)).to_contain_text("17,393,672")
    expect_frozen(page, ["layer 6", "layer 5", "layer 4"])


def test_a_change_by_hand_is_custom_until_a_scenario_is_chosen_again(page: Page) -> None:
    """The scenario that was chosen before can be chosen again, and takes the sliders along (fault 2)."""
    open_plan(page)
    choose(page, "Freeze the entity head")
    lock(page, "the classification head").click()
    expect(page.locator(".origin")).to_contain_text("Custom (from Freeze the entity head)")
    expect(page.get_by_label("Freeze the entity head", exact=True).first).not_to_be_checked()
    slider = page.locator("input[type=range]:visible").first
    slider.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect_frozen(page, ["entity head", "classification head", "layer 2", "layer 1", "embeddings"])
    choose(page, "Freeze the entity head")
    expect_frozen(page, ["entity head"])
    expect(slider).to_have_value("0")
    lock(page, "layer 6").click()
    expect(page.locator("input[type=range]:visible").nth(1)).to_have_value("1")
    page.get_by_role("button", name="Reset", exact=True).click()
    expect_frozen(page, ["entity head"])
    expect(page.get_by_role("button", name="Reset", exact=True)).to_be_hidden()


def test_a_slider_that_is_moved_fast_is_followed_to_its_last_place(page: Page) -> None:
    open_plan(page)
    slider = page.locator("input[type=range]:visible").first
    for k, n_trainable in ((6, "150,920"), (2, "7,248,776")):
        while int(slider.input_value()) != k:
            slider.press("ArrowRight" if int(slider.input_value()) < k else "ArrowLeft")
        expect(totals(page)).to_contain_text(n_trainable)


def test_locks_chosen_by_hand_are_planned_saved_and_loaded_back(page: Page, tmp_path: Path) -> None:
    open_plan(page)
    for part, n_trainable in (("layer 3", "20,942,600"), ("the embeddings", "9,023,240")):
        lock(page, part).click()
        expect(totals(page)).to_contain_text(n_trainable)
    page.get_by_role("button", name="This plan as code and as a file").click()
    saved = page.locator(".cm-content", has_text='"frozen"')
    expect(saved).to_contain_text("layer_2")
    (tmp_path / "plan.json").write_text(saved.inner_text())
    choose(page, "Biases only (BitFit)")
    expect(totals(page)).to_contain_text("176,648")
    page.locator("input[type=file][accept='.json']").set_input_files(tmp_path / "plan.json")
    expect(totals(page)).to_contain_text("9,023,240")
    expect_frozen(page, ["layer 3", "embeddings"])
    (tmp_path / "bad.json").write_text('{"frozen": ["layer_99"]}')
    page.locator("input[type=file][accept='.json']").set_input_files(tmp_path / "bad.json")
    expect(page.get_by_text("layer_99").first).to_be_visible()
    expect(totals(page)).to_contain_text("9,023,240")


def test_presets_fill_the_whole_plan_and_bring_their_rates(page: Page) -> None:
    """Fault 3 of those that users met."""
    open_plan(page)
    page.get_by_role("button", name="Learning rates, decay and schedule").click()
    rate = page.get_by_label("Learning rate, backbone")
    expect(rate).to_have_value("0.0002")
    for scenario, told, backbone_rate in (
        ("Low-rank adapters (LoRA)", "224,648", "0.003"),
        ("Biases only (BitFit)", "176,648", "0.005"),
        ("New output layer only", "1,155", "0.0002"),
        ("Train everything", "100%", "0.0002"),
    ):
        choose(page, scenario)
        expect(totals(page)).to_contain_text(told)
        expect(rate).to_have_value(backbone_rate)
    choose(page, "Gradual unfreezing")
    expect(page.get_by_text("Unfrozen one by one: layer 6 from 12% of the steps")).to_be_visible()
    expect(page.locator(".course .rate").last).to_contain_text("from step 54")
    page.get_by_label("bert-base-uncased (12 layers)").last.click()
    expect(rate).to_have_value("0.00002")


def test_what_is_wrong_stands_at_its_field(page: Page) -> None:
    """Faults 3 and 8 of those that users met."""
    open_plan(page)
    page.get_by_role("button", name="Learning rates, decay and schedule").click()
    rate = page.get_by_label("Learning rate, backbone")
    rate.fill("7")
    wrong = page.locator(".wrong")
    expect(wrong).to_contain_text("from 0 to 1, not 7")
    field, words = rate.bounding_box(), wrong.get_by_text("from 0 to 1").bounding_box()
    assert abs(field["y"] - words["y"]) < 80
    expect(page.locator(".no-plan")).to_contain_text("No plan.")
    expect(page.locator("table.numbers:visible")).to_have_count(0)
    rate.fill("1")
    expect(wrong).to_have_count(0)
    expect(page.locator(".warnings:visible").first).to_contain_text("A learning rate above 0.01 is set: backbone (1)")
    page.get_by_role("button", name="What trains inside the parts").click()
    choose(page, "Low-rank adapters (LoRA)")
    for target in ("query", "value"):
        page.get_by_label(target, exact=True).uncheck()
    expect(wrong).to_contain_text("one, and none is chosen")


@pytest.mark.parametrize("width", [1280, 375])
def test_nothing_of_a_large_plan_overflows(visit: Visit, width: int) -> None:
    """Fault 9 of those that users met."""
    with visit(width) as page:
        open_plan(page)
        page.get_by_label("bert-large-uncased (24 layers)").last.click()
        expect(lock(page, "layer 24")).to_be_visible()
        for scenario in ("Gradual unfreezing", "Low-rank adapters (LoRA)"):
            choose(page, scenario)
            page.wait_for_timeout(300)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            over = page.evaluate(
                "[...document.querySelectorAll('.totals div, .totals dd, .part, .course, .memory')].filter("
                "e => e.offsetParent && e.scrollWidth > e.clientWidth + 1).map(e => e.innerText)"
            )
            assert over == []


def test_every_stop_of_the_keyboard_is_seen_and_training_is_near(page: Page) -> None:
    """From the tabs to the button that trains, each stop has a ring; a radio group and the locks are one each (fault 5)."""
    open_plan(page)
    page.get_by_role("tab", name=TABS[-1]).focus()
    seen: list[str] = []
    while "Train a copy" not in seen:
        assert len(seen) < 36, seen
        page.keyboard.press("Tab")
        name, style, width = page.evaluate(
            "(e => { const c = getComputedStyle(e); return [(e.innerText || e.getAttribute('aria-label') || e.type || "
            "e.tagName).trim(), c.outlineStyle, c.outlineWidth] })(document.activeElement)"
        )
        assert (style, width) == ("solid", "3px"), name
        seen.append(name)
    assert "range" in " ".join(seen)
