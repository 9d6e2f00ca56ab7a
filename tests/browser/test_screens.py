"""Every tab on every screen: light and dark, wide and narrow, for eyes, keys and screen readers (faults 5, 14, 16, 17)."""

from __future__ import annotations

import os
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import TABS, Visit, open_tab

AXE = Path(axe_playwright_python.__file__).parent / "axe.min.js"

# What each tab shows last, as soon as it is filled.
CONTENTS = (
    "#answers .answer", ".js-plotly-plot, .grid", "#classes .answer", "#spans", "#tab-compare button", "#occlusion .word",
    ".totals",
)  # fmt: skip


def violations(page: Page) -> list[str]:
    """What axe finds serious or critical, one line for each element."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']}).then(found => found.violations)")
    return [
        f"{each['id']}: {node['html'][:160]} {node['any'][0]['message'][:160] if node['any'] else ''}"
        for each in found
        if each["impact"] in {"serious", "critical"}
        for node in each["nodes"]
    ]


# Names of the buttons that are seen and stand beyond the right edge, though nothing scrolls there.
BEYOND = """width => [...document.querySelectorAll("button, [role=tab], input, textarea")].filter(e => {
  const box = e.getBoundingClientRect();
  for (let up = e.parentElement; up; up = up.parentElement)
    if (["auto", "scroll"].includes(getComputedStyle(up).overflowX) && up.scrollWidth > up.clientWidth) return false;
  const isBeyond = box.left < 2 * width && (box.right > width + 1 || box.left < -1);
  return isBeyond && e.checkVisibility() && !e.closest(".sidebar") && box.width > 1;
}).map(e => e.innerText || e.ariaLabel || e.id || e.outerHTML.slice(0, 90))"""


# Words that nobody understood: of the inside of this project, or of a number that is not one.
JARGON = ("drift 0.0000", "Weight of keeping", "Work, of a full", "not ()", "100.00%", "0.0 MB", "NaN", "undefined")


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (1280, "dark"), (375, "light"), (375, "dark")])
def test_every_tab_fits_every_screen_and_axe_finds_nothing(visit: Visit, width: int, theme: str) -> None:
    directory = os.environ.get("MTDEMO_SCREENSHOTS")
    with visit(width, theme) as page:
        for name, content in zip(TABS, CONTENTS, strict=True):
            open_tab(page, name)
            shown = page.locator(content).locator("visible=true").first
            expect(shown).to_be_visible()
            page.wait_for_timeout(200)  # for what is laid out after it is shown
            if directory:
                page.wait_for_timeout(1500)
                path = Path(directory) / f"{name.split()[0].lower()}-{theme}-{width}.png"
                page.screenshot(path=path, full_page=True, animations="disabled")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, name
            assert page.evaluate(BEYOND, width) == [], name
            if name not in TABS[-1:]:
                assert shown.bounding_box()["y"] < 900, f"the answers of {name} can be seen"
            text = page.locator("body").inner_text()
            assert [words for words in JARGON if words in text] == []
            assert violations(page) == [], name
        page.locator("#badge").click()
        expect(page.get_by_role("heading", name="How good it is")).to_be_visible()
        page.wait_for_timeout(600)  # the panel slides in
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        if directory:
            page.screenshot(path=Path(directory) / f"panel-{theme}-{width}.png")
        assert violations(page) == [], "panel"


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_focus_is_seen_and_buttons_are_near(visit: Visit, theme: str) -> None:
    """The ring is 3 pixels of a colour that stands 3:1 against what is around it."""
    with visit(theme=theme) as page:
        page.locator("#sentences textarea").focus()
        seen: list[str] = []
        for _ in range(12):
            page.keyboard.press("Tab")
            focused = page.evaluate(
                "(e => { const c = getComputedStyle(e); return [e.innerText.trim(), c.outlineStyle, c.outlineWidth, "
                "c.outlineColor] })(document.activeElement)"
            )
            assert focused[1:3] == ["solid", "3px"], focused
            seen.append(focused[0])
        assert {"Read", "It gets these wrong"} <= set(seen)
        ring, ground = ({"light": "#0d9488", "dark": "#5eead4"}[theme], {"light": "#f1f5f9", "dark": "#0b0f19"}[theme])
        assert contrast(ring, ground) >= 3


def test_arrow_keys_walk_tabs_and_choices_and_a_link_skips_to_the_answers(page: Page) -> None:
    page.get_by_role("tab", name=TABS[0]).focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name=TABS[1])).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    expect(page.get_by_role("tab", name=TABS[-1])).to_have_attribute("aria-selected", "true")
    expect(page.locator("#ask")).to_be_hidden()
    page.get_by_label("Train everything", exact=True).focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("Freeze the whole network", exact=True)).to_be_checked()
    expect(page.locator(".totals").first).to_contain_text("0%")
    accordion = page.get_by_role("button", name="How the cost is counted")
    expect(accordion).to_have_attribute("aria-expanded", "false")
    accordion.click()
    expect(accordion).to_have_attribute("aria-expanded", "true")
    page.get_by_role("link", name="Skip to the answers").focus()
    assert page.get_by_role("link", name="Skip to the answers").bounding_box()["x"] >= 0


def contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours, as WCAG defines it."""

    def luminance(color: str) -> float:
        channels = [int(color[place : place + 2], 16) / 255 for place in (1, 3, 5)]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)
