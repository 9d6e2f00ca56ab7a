"""Every tab on every screen: light and dark, wide and narrow."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import TABS, Visit, open_tab

# What each tab shows last, as soon as it is filled.
CONTENTS = (".js-plotly-plot", "[data-testid=label-output-value]", "[role=gridcell]", ".totals")


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (1280, "dark"), (375, "light"), (375, "dark")])
def test_every_tab_fits_every_screen(visit: Visit, width: int, theme: str) -> None:
    directory = os.environ.get("MTDEMO_SCREENSHOTS")
    with visit(width, theme) as page:
        for name, content in zip(TABS, CONTENTS, strict=True):
            open_tab(page, name)
            expect(page.locator(content).locator("visible=true").first).to_be_visible()
            page.wait_for_timeout(200)  # for what is laid out after it is shown
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
