"""Experiments of several runs on the page: one bar, a stop, and runs that survive a reload."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.conftest import TABS, open_tab
from tests.browser.test_screens import violations


def test_an_experiment_can_be_stopped_and_its_runs_are_there_after_a_reload(page: Page) -> None:
    """Fault 13 of those that users met."""
    open_tab(page, TABS[-1])
    card, train = page.locator("#question-protection"), page.get_by_role("button", name="Train a copy")
    expect(train).to_be_enabled()
    card.get_by_role("button", name="Run this experiment").click()
    expect(card.get_by_role("progressbar")).to_be_visible(timeout=60_000)
    expect(train).to_be_disabled()
    for button in page.get_by_role("button", name="Run this experiment").all():
        expect(button).to_be_disabled()
    expect(card).to_contain_text("Run 2 of 2: step", timeout=120_000)
    assert violations(page) == []
    card.get_by_role("button", name="Stop and keep").click()
    expect(card).to_contain_text("Stopped, so there is no verdict.", timeout=60_000)
    expect(train).to_be_enabled()
    check_runs(page)
    page.reload()
    expect(page.locator("#work")).to_contain_text("pass", timeout=60_000)
    open_tab(page, TABS[-1])
    check_runs(page)
    page.get_by_role("button", name="Use this run in the other tabs").click()
    expect(page.get_by_text("Run 2 answers in the other tabs now")).to_be_visible()
    expect(page.locator("#badge")).to_contain_text("run 2 of your laboratory")
    page.get_by_label("Run", exact=True).click()
    page.get_by_role("option").filter(has_text="backbone frozen too").click()
    expect(page.get_by_text("so every answer is the same, bit for bit")).to_be_visible()
    page.get_by_role("button", name="Use this run in the other tabs").click()
    expect(page.locator("#badge")).to_contain_text("run 1 of your laboratory")
    page.get_by_role("button", name="See its answers").click()
    # from the cache where the reading that run 2 asked for came late, and was of run 1 already
    expect(page.locator("#work")).to_contain_text(re.compile("1 pass ·|0 passes · 5 from the cache"))


def check_runs(page: Page) -> None:
    """Both runs are listed with their data, the last one is shown with its receipt, and its weights are there."""
    expect(page.get_by_text("Freeze receipt:")).to_be_visible(timeout=60_000)
    expect(page.get_by_text("parameters were frozen as asked")).to_be_visible()
    expect(page.get_by_role("gridcell", name="the project's sample; 72 kept aside")).to_have_count(2)
    expect(page.get_by_role("gridcell", name="kept", exact=True)).to_have_count(2)
