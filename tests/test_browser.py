"""A person with a browser: the real app, Debian's chromium, every tab, light and dark, wide and narrow."""

from __future__ import annotations

import os
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from mtdemo.inference.pipeline import analyze_batches
from mtdemo.models.loaded import LoadedModel
from tests.app_process import AppProcess

expect.set_options(timeout=30_000)  # a shared machine can be slow

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
SCREENS = [(1280, "light"), (1280, "dark"), (375, "light"), (375, "dark")]
TABS = ("Embedding & similarity", "Classification", "Entities", "Freezing & optimizer")

if not CHROMIUM.exists() and not os.environ.get("MTDEMO_REQUIRE_BROWSER"):
    pytest.skip("there is no /usr/bin/chromium (apt install chromium)", allow_module_level=True)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, app: AppProcess) -> Iterator[Page]:
    """A ready page in light; at its end no console error, no outside request, no dialog may have happened."""
    yield from open_page(browser, app, 1280, "light")


def open_page(browser: Browser, app: AppProcess, width: int, theme: str) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.set_default_timeout(30_000)
    problems: list[str] = []
    page.on("console", lambda m: problems.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("dialog", lambda dialog: (problems.append(f"dialog {dialog.message}"), dialog.dismiss()))
    page.on(
        "request", lambda r: problems.append(r.url) if re.match(r"(?!http://127\.0\.0\.1|data:|blob:)", r.url) else None
    )
    page.goto(f"{app.url}/?__theme={theme}")
    expect(page.locator("#status")).to_contain_text("Ready.", timeout=120_000)
    yield page
    page.close()
    assert problems == []


def open_tab(page: Page, name: str) -> None:
    tab = page.get_by_role("tab", name=name, exact=True)
    if not tab.is_visible():
        page.locator(".overflow-menu > button").click()
        tab = page.locator(".overflow-dropdown button", has_text=name)
    tab.click()


def ask(page: Page, label: str, text: str, button: str) -> None:
    page.get_by_label(label).fill(text)
    page.get_by_role("button", name=button, exact=True).click()


def test_similarity_shows_a_heat_map_pairs_and_values(page: Page) -> None:
    ask(page, "Sentences to compare", "A dog barks.\nA puppy is barking.\nTaxes rose again.", "Compare")
    expect(page.locator(".js-plotly-plot .ytick")).to_have_count(3)
    expect(page.locator(".js-plotly-plot").first).to_contain_text("2. A puppy is barking")
    expect(page.get_by_role("gridcell", name="most similar", exact=True).first).to_be_visible()
    expect(page.get_by_text("Answered by embedded: bert, 6 layers").first).to_be_visible()


def test_files_are_downloaded(page: Page, tmp_path: Path) -> None:
    for name, suffix in (("Download all values as CSV", ".csv"), ("Download as NumPy (.npy)", ".npy")):
        button = page.get_by_role("button", name=name)
        expect(button).to_be_enabled()
        with page.expect_download() as download:
            button.click()
        assert download.value.suggested_filename == f"embeddings{suffix}"
        download.value.save_as(tmp_path / suffix)
    assert "Fetch Rewards is a good company!" in (tmp_path / ".csv").read_text()
    assert np.load(tmp_path / ".npy").shape == (5, 384)


def test_classes_are_bars_for_one_sentence_and_a_table_for_many(page: Page) -> None:
    open_tab(page, "Classification")
    ask(page, "Sentences to classify", "What a waste of money.", "Classify")
    bars = page.get_by_test_id("label-output-value")
    expect(bars).to_have_text("negative")
    ask(page, "Sentences to classify", "What a waste of money.\nI love it!", "Classify")
    expect(bars).to_be_hidden()
    expect(page.get_by_role("gridcell", name="I love it!", exact=True)).to_be_visible()


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


def test_nothing_typed_is_told_and_the_page_goes_on(page: Page) -> None:
    ask(page, "Sentences to compare", "  \n ", "Compare")
    expect(page.get_by_text("There is nothing to read yet")).to_be_visible()
    ask(page, "Sentences to compare", "one\ntwo", "Compare")
    expect(page.locator(".js-plotly-plot .ytick")).to_have_count(2)


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


def test_another_model_says_what_to_expect_before_it_is_loaded(page: Page) -> None:
    page.get_by_role("button", name="Choose another model").click()
    page.get_by_label("bert-large-uncased (24 layers)").first.click()
    expect(page.get_by_text("a poor sentence embedding by nature").first).to_be_visible()
    page.get_by_label("Another model of the hub").click()
    page.get_by_label("Model id").fill("../../etc/passwd")
    page.get_by_role("button", name="Load and use this model").click()
    expect(page.locator("#status")).to_contain_text("is not a model id")
    expect(page.locator("#status")).to_contain_text("The model in use stays in use.")


@pytest.mark.parametrize(("width", "theme"), SCREENS)
def test_every_tab_fits_every_screen(browser: Browser, app: AppProcess, width: int, theme: str) -> None:
    for page in open_page(browser, app, width, theme):
        for name in TABS:
            open_tab(page, name)
            page.wait_for_timeout(500)
            directory = os.environ.get("MTDEMO_SCREENSHOTS")
            if directory:
                page.wait_for_timeout(2500)
                path = Path(directory) / f"{name.split()[0].lower()}-{theme}-{width}.png"
                page.screenshot(path=path, full_page=True, animations="disabled")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
        page.get_by_role("button", name="About the embedded model").click()
        expect(page.get_by_role("heading", name="How good it is")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if directory:
            page.screenshot(path=Path(directory) / f"card-{theme}-{width}.png")


def plan(page: Page, clicks: list[str], backbone_rate: str = "0.001") -> None:
    """Make a plan on the laboratory's page."""
    open_tab(page, TABS[-1])
    expect(page.locator(".totals").first).to_contain_text("22,717,064")
    for name in clicks:
        before = page.locator(".totals").first.inner_text()
        page.get_by_label(name, exact=True).first.click()
        expect(page.locator(".totals").first).not_to_have_text(before)
    page.get_by_role("button", name="Learning rates, decay and schedule").click()
    page.get_by_label("Learning rate, backbone").fill(backbone_rate)
    page.get_by_label("Learning rate, backbone").press("Tab")
    in_groups_or_warning = re.compile(rf"^\s*{re.escape(backbone_rate)}\s*$|backbone \({re.escape(backbone_rate)}\)")
    expect(page.get_by_text(in_groups_or_warning).first).to_be_visible()
    page.get_by_label("Classes only").click()


def begin(page: Page, n_steps: int) -> None:
    page.get_by_label("Steps", exact=True).clear()
    page.get_by_label("Steps", exact=True).press_sequentially(str(n_steps))
    page.get_by_label("Steps", exact=True).press("Tab")
    page.get_by_role("button", name="Train a copy").click()


@pytest.mark.parametrize(
    ("freeze", "words"),
    [
        (["entity head"], "Its head was frozen and its task drifted all the same"),
        (["Freeze the backbone", "entity head"], "so every answer is the same, bit for bit"),
    ],
)
def test_the_third_scenario_of_the_reference_both_ways(page: Page, freeze: list[str], words: str) -> None:
    """Freezing a head alone does not protect its task; freezing what is under it does."""
    plan(page, freeze)
    begin(page, 10)
    expect(page.get_by_text("after 10 of 10 steps")).to_be_visible(timeout=120_000)
    expect(page.get_by_text(words)).to_be_visible()


def test_who_only_asks_gets_the_same_answers_before_while_and_after_others_train(
    browser: Browser, app: AppProcess, embedded: LoadedModel
) -> None:
    visits = [open_page(browser, app, 1280, "light") for _ in range(3)]
    ada, bob, eve = (next(visit) for visit in visits)
    open_tab(eve, "Classification")

    def check_answers(*sentences: str) -> None:
        """None was asked before, so none comes from a cache; what a model of this process says is what they must be."""
        ask(eve, "Sentences to classify", "\n".join(sentences), "Classify")
        expect(eve.get_by_role("gridcell", name=sentences[-1], exact=True)).to_be_visible()
        cells = [cell.inner_text() for cell in eve.get_by_role("gridcell").all()]
        for answer in analyze_batches(embedded, sentences, 128):
            row = cells[cells.index(answer.text) + 1 :]
            assert row[0] == answer.label
            assert [float(cell) for cell in row[1:4]] == pytest.approx(list(answer.probabilities.values()), abs=1e-4)

    check_answers("The soup was cold before.", "The train was late before.")
    plan(ada, ["entity head"])
    plan(bob, ["Freeze the backbone", "entity head"])
    begin(ada, 40)
    expect(ada.get_by_text("of 40, about")).to_be_visible(timeout=60_000)
    begin(bob, 500)
    expect(bob.get_by_text("of 500, about")).to_be_visible(timeout=60_000)
    check_answers("The soup was cold meanwhile.", "The train was late meanwhile.")
    expect(bob.get_by_text("of 500, about")).to_be_visible()
    bob.get_by_role("button", name="Stop and keep what there is").click()
    expect(bob.get_by_text("Stopped after")).to_be_visible(timeout=60_000)
    expect(ada.get_by_text("after 40 of 40 steps")).to_be_visible(timeout=120_000)
    check_answers("The soup was cold afterwards.", "The train was late afterwards.")
    for visit in visits:
        assert next(visit, None) is None


def test_two_visitors_train_at_once_a_third_waits_and_a_closed_tab_makes_room(browser: Browser, app: AppProcess) -> None:
    visits = [open_page(browser, app, 1280, "light") for _ in range(3)]
    ada, bob, eve = (next(visit) for visit in visits)
    plan(ada, ["entity head"])
    plan(bob, ["Freeze the backbone", "entity head"])
    plan(eve, ["Freeze the backbone"])
    begin(ada, 300)
    expect(ada.get_by_text("of 300, about")).to_be_visible(timeout=60_000)
    begin(bob, 500)
    expect(bob.get_by_text("of 500, about")).to_be_visible(timeout=60_000)
    begin(eve, 10)
    expect(eve.get_by_text("Waiting for a place: 1 in line.")).to_be_visible()
    bob.get_by_role("button", name="Stop and keep what there is").click()
    expect(bob.get_by_text("Stopped after")).to_be_visible(timeout=60_000)
    expect(bob.get_by_text("so every answer is the same, bit for bit")).to_be_visible()
    expect(bob.get_by_role("gridcell", name="frozen: embeddings, layers 1–6")).to_have_count(1)
    expect(eve.get_by_text("after 10 of 10 steps")).to_be_visible(timeout=60_000)
    expect(ada.get_by_text("of 300, about")).to_be_visible()
    expect(ada.get_by_text("Stopped after")).to_be_hidden()
    begin(bob, 500)
    expect(bob.get_by_text("of 500, about")).to_be_visible(timeout=60_000)
    begin(eve, 10)
    expect(eve.get_by_text("Waiting for a place: 1 in line.")).to_be_visible()
    assert next(visits[0], None) is None, "ada closes her tab"
    expect(eve.get_by_text("after 10 of 10 steps")).to_be_visible(timeout=60_000)
    for visit in visits[1:]:
        assert next(visit, None) is None


def test_a_run_is_downloaded_and_its_model_answers_in_the_other_tabs(page: Page, tmp_path: Path) -> None:
    plan(page, ["New output layer only"])
    begin(page, 10)
    expect(page.get_by_text("New output layer: macro-F1")).to_be_visible(timeout=120_000)
    page.get_by_role("button", name="Pack the last run as a ZIP").click()
    button = page.get_by_role("button", name="Download run-1.zip")
    expect(button).to_be_visible(timeout=60_000)
    with page.expect_download() as download:
        button.click()
    download.value.save_as(tmp_path / "run.zip")
    with zipfile.ZipFile(tmp_path / "run.zip") as archive:
        assert "checkpoint/model.safetensors" in archive.namelist()
    page.get_by_role("button", name="Use the trained copy in the other tabs").click()
    expect(page.locator("#status")).to_contain_text("run 1 of your laboratory")
    open_tab(page, "Classification")
    ask(page, "Sentences to classify", "What a waste of money.", "Classify")
    expect(page.get_by_text("Answered by run 1 of your laboratory").first).to_be_visible()


def test_a_file_of_ones_own_is_read_or_its_line_is_named(page: Page, tmp_path: Path) -> None:
    open_tab(page, TABS[-1])
    page.get_by_role("button", name="Learn your own labelled sentences instead").click()
    path = tmp_path / "mine.jsonl"
    path.write_text('{"text": "a", "label": "positive"}\n{"text": 3}\n')
    page.locator("input[type=file][accept*=conll]").set_input_files(path)
    expect(page.get_by_text("This file cannot be used. mine.jsonl, line 2")).to_be_visible()


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
