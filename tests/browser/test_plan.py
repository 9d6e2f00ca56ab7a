from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.conftest import TABS, open_tab


def test_numbers_follow_scenario_slider_backbone_and_toggles(page: Page) -> None:
    open_tab(page, "Freezing & optimizer")
    totals = page.locator(".totals").first
    expect(totals).to_contain_text("22,717,064")
    page.get_by_label("Freeze the backbone", exact=True).click()
    expect(totals).to_contain_text("150,920")
    expect(page.locator(".warnings").first).to_contain_text("no effect there: backbone (2e-05)")
    page.get_by_label("Freeze the whole network", exact=True).click()
    expect(page.locator(".warnings").first).to_contain_text("Nothing trains")
    page.get_by_label("Add a new output layer").click()
    expect(totals).to_contain_text("1,155")
    page.get_by_label("entity head", exact=True).click()
    expect(totals).to_contain_text("3,080")
    page.get_by_label("bert-base-uncased (12 layers)").last.click()
    expect(totals).to_contain_text("109,490,699")
    expect(page.get_by_label("layer 12", exact=True)).to_be_visible()
    page.get_by_label("Freeze the entity head", exact=True).click()
    expect(page.locator(".warnings").first).to_contain_text("freezing a head does not protect its task")


def test_a_slider_that_is_moved_fast_is_followed_to_its_last_place(page: Page) -> None:
    open_tab(page, "Freezing & optimizer")
    totals = page.locator(".totals").first
    expect(totals).to_contain_text("22,717,064")
    slider = page.locator("input[type=range]:visible").first
    for k, n_trainable in ((6, "150,920"), (2, "7,248,776")):
        while int(slider.input_value()) != k:
            slider.press("ArrowRight" if int(slider.input_value()) < k else "ArrowLeft")
        expect(totals).to_contain_text(n_trainable)


def test_a_list_chosen_by_hand_is_planned_saved_and_loaded_back(page: Page, tmp_path: Path) -> None:
    open_tab(page, "Freezing & optimizer")
    totals = page.locator(".totals").first
    expect(totals).to_contain_text("22,717,064")
    for part, n_trainable in (("layer 3", "20,942,600"), ("embeddings", "9,023,240")):
        page.get_by_label(part, exact=True).click()
        expect(totals).to_contain_text(n_trainable)
    page.get_by_role("button", name="This plan as code and as a file").click()
    saved = page.locator(".cm-content", has_text='"frozen"')
    expect(saved).to_contain_text("layer_2")
    (tmp_path / "plan.json").write_text(saved.inner_text())
    page.get_by_label("Biases only (BitFit)", exact=True).click()
    expect(totals).to_contain_text("176,648")
    page.locator("input[type=file][accept='.json']").set_input_files(tmp_path / "plan.json")
    expect(totals).to_contain_text("9,023,240")
    for part in ("layer 3", "embeddings"):
        expect(page.get_by_label(part, exact=True)).not_to_be_checked()
    expect(page.get_by_label("layer 4", exact=True)).to_be_checked()
    (tmp_path / "bad.json").write_text('{"frozen": ["layer_99"]}')
    page.locator("input[type=file][accept='.json']").set_input_files(tmp_path / "bad.json")
    expect(page.get_by_text("layer_99").first).to_be_visible()
    expect(totals).to_contain_text("9,023,240")


def test_presets_fill_the_whole_plan(page: Page) -> None:
    open_tab(page, TABS[-1])
    totals = page.locator(".totals").first
    expect(totals).to_contain_text("22,717,064")
    page.get_by_label("Low-rank adapters (LoRA)", exact=True).click()
    expect(totals).to_contain_text("224,648")
    expect(page.get_by_label("low-rank adapters (LoRA)", exact=True)).to_be_checked()
    page.get_by_label("Biases only (BitFit)", exact=True).click()
    expect(totals).to_contain_text("176,648")
    page.get_by_label("Gradual unfreezing", exact=True).click()
    expect(page.get_by_text("Unfrozen one by one: layer 6 from 12% of the steps")).to_be_visible()
    page.get_by_label("New output layer only", exact=True).click()
    expect(totals).to_contain_text("1,155")
    expect(page.get_by_label("Add a new output layer")).to_be_checked()
    page.get_by_label("Train everything", exact=True).click()
    expect(totals).to_contain_text("100.00%")
    expect(page.get_by_label("Add a new output layer")).not_to_be_checked()
