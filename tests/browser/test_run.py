"""Training on the page: by one visitor, and by several at once."""

from __future__ import annotations

import re
import zipfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from mtdemo.inference.pipeline import analyze_batches
from mtdemo.models.loaded import LoadedModel
from tests.browser.conftest import TABS, Visit, ask, open_tab


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
        (["Lock the entity head"], "Its head was frozen and its task drifted all the same"),
        (["Freeze the backbone", "Lock the entity head"], "so every answer is the same, bit for bit"),
    ],
)
def test_the_third_scenario_of_the_reference_both_ways(page: Page, freeze: list[str], words: str) -> None:
    """Freezing a head alone does not protect its task; freezing what is under it does (fault 12)."""
    plan(page, freeze)
    begin(page, 10)
    expect(page.get_by_text("after 10 of 10 steps")).to_be_visible(timeout=120_000)
    expect(page.get_by_text(words)).to_be_visible()


def test_two_visitors_train_at_once_a_third_asks_waits_and_finds_a_place(visit: Visit, embedded: LoadedModel) -> None:
    """Who only asks gets the same answers before, while and after others train; a closed tab makes room for who waits."""
    with ExitStack() as visitors:
        ada, bob, eve = (visitors.enter_context(visit()) for _ in range(3))
        open_tab(eve, "Classification")
        eve.get_by_role("button", name="As a table").locator("visible=true").click()

        def check_answers(*sentences: str) -> None:
            """None was asked before, so none comes from a cache; what a model of this process says is what they must be."""
            open_tab(eve, "Classification")
            ask(eve, "\n".join(sentences))
            expect(eve.get_by_role("gridcell", name=sentences[-1], exact=True)).to_be_visible()
            cells = [cell.inner_text() for cell in eve.get_by_role("gridcell").all()]
            for answer in analyze_batches(embedded, sentences, 128):
                row = cells[cells.index(answer.text) + 1 :]
                assert row[0] == answer.label
                assert [float(cell) for cell in row[1:4]] == pytest.approx(list(answer.probabilities.values()), abs=1e-4)

        check_answers("The soup was cold before.", "The train was late before.")
        plan(ada, ["Lock the entity head"])
        plan(bob, ["Freeze the backbone", "Lock the entity head"])
        begin(ada, 300)
        expect(ada.get_by_text("of 300, about")).to_be_visible(timeout=60_000)
        begin(bob, 500)
        expect(bob.get_by_text("of 500, about")).to_be_visible(timeout=60_000)
        check_answers("The soup was cold meanwhile.", "The train was late meanwhile.")
        expect(bob.get_by_text("of 500, about")).to_be_visible()
        plan(eve, ["Freeze the backbone"])
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
        ada.close()
        expect(eve.get_by_text("after 10 of 10 steps")).to_be_visible(timeout=60_000)
        bob.close()
        check_answers("The soup was cold afterwards.", "The train was late afterwards.")


def test_a_run_is_downloaded_and_its_model_answers_in_the_other_tabs(page: Page, tmp_path: Path) -> None:
    """Fault 6 of those that users met."""
    plan(page, ["New output layer only"])
    begin(page, 10)
    expect(page.get_by_text("New output layer: macro-F1")).to_be_visible(timeout=120_000)
    page.get_by_role("button", name="Pack this run as a ZIP").click()
    button = page.get_by_role("button", name="Download run-1.zip")
    expect(button).to_be_visible(timeout=60_000)
    with page.expect_download() as download:
        button.click()
    download.value.save_as(tmp_path / "run.zip")
    with zipfile.ZipFile(tmp_path / "run.zip") as archive:
        assert "checkpoint/model.safetensors" in archive.namelist()
    page.get_by_role("button", name="Use this run in the other tabs").click()
    expect(page.get_by_text("Run 1 answers in the other tabs now")).to_be_visible()
    expect(page.locator("#status")).to_contain_text("run 1 of your laboratory")
    expect(page.locator("#badge")).to_contain_text("run 1 of your laboratory")
    page.get_by_role("button", name="See its answers").click()
    expect(page.locator("#answers .answer").first).to_be_visible()
    expect(page.locator("#work")).to_contain_text("1 pass ·")  # the copy has answered already, in a pass of its own


def test_a_file_of_ones_own_is_read_or_its_line_is_named(visit: Visit, tmp_path: Path) -> None:
    """A file that cannot be used says where; a run on a small one names its data, and that it is too small (fault 4)."""
    bad, small = tmp_path / "bad.jsonl", tmp_path / "mine.jsonl"
    bad.write_text('{"text": "a", "label": "positive"}\n{"text": 3}\n')
    small.write_text("".join(f'{{"text": "Day {n} was fine.", "label": "positive"}}\n' for n in range(12)))
    told_by_gradio = ("Method not implemented.",)  # of the stream of an upload, when it is closed
    with visit(of_gradio=told_by_gradio) as page:
        give_file(page, bad, "This file cannot be used. bad.jsonl, line 2")
    with visit(of_gradio=told_by_gradio) as page:
        give_file(page, small, "3 are too few to conclude anything from a score")
        plan(page, ["Freeze the backbone"])
        begin(page, 2)
        expect(page.get_by_text("after 2 of 2 steps")).to_be_visible(timeout=120_000)
        expect(page.get_by_text("Run 1 was measured on fewer than 30 sentences of a task: too few")).to_be_visible()
        expect(page.get_by_role("gridcell", name="mine.jsonl")).to_have_count(1)


def give_file(page: Page, path: Path, words: str) -> None:
    """Give a file to learn from, and wait for what is told of it."""
    open_tab(page, TABS[-1])
    page.get_by_role("button", name="Learn your own labelled sentences instead").click()
    page.locator("input[type=file][accept*=conll]").set_input_files(path)
    expect(page.get_by_text(words)).to_be_visible()
