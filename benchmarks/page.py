"""What a visit costs in a browser: passes over all tabs, time from Read to the last card, time from a lock to its numbers.

    python -m benchmarks.page [--times 20]

The clock of the page runs from a click until what it asked for stands there and is about to be painted. Each time five
sentences that nobody read before are put into the box and read; the model's own time is what the page says under the box.
Then every tab is opened, and the forward passes of the app are counted: the tabs fill from the one reading, and only
*Why & what if*, which asks about variants of a sentence, reads more. A change of the plan is a lock that is clicked.
Browser, app and this process share the cores. Needs chromium at /usr/bin/chromium and playwright.
"""

from __future__ import annotations

import argparse
import re
import statistics
from collections.abc import Sequence

from playwright.sync_api import Page, sync_playwright

from benchmarks.load import count_passes, make_sentence
from benchmarks.running_app import running_app

# Each tab, and what it shows last.
TABS = (
    ("All answers", "#answers .answer"),
    ("Embedding & similarity", "#heatmap .ytick"),
    ("Classification", "#classes .answer"),
    ("Entities", "#spans"),
    ("Compare", "#tab-compare button"),
    ("Why & what if", "#occlusion .word"),
    ("Freezing & optimizer", ".totals"),
)
N_SENTENCES = 5
_LIMIT_MS = 30_000
_TIME = """([button, place, words]) => new Promise((resolve, reject) => {
  const read = () => [...document.querySelectorAll(place)].at(-1)?.textContent ?? "";
  const before = read();
  const isThere = () => (words ? read().includes(words) : read() !== before);
  const watcher = new MutationObserver(() => {
    if (!isThere()) return;
    watcher.disconnect();
    requestAnimationFrame(() => resolve(performance.now() - begin));
  });
  watcher.observe(document.body, { subtree: true, childList: true, characterData: true, attributes: true });
  setTimeout(() => { watcher.disconnect(); reject(new Error(`${place} shows: ${read()}`)); }, LIMIT);
  const begin = performance.now();
  document.querySelector(button).click();
})""".replace("LIMIT", str(_LIMIT_MS))


def time_click(page: Page, button: str, place: str, words: str = "") -> float:
    """Click, and return milliseconds until the last element there changed.

    Args:
        page: an open page.
        button: a selector of what is clicked.
        place: a selector; the last element that it finds is watched.
        words: what that element says in the end; empty for anything else than before.

    Raises:
        playwright.sync_api.Error: nothing changed within half a minute.
    """
    return float(page.evaluate(_TIME, [button, place, words]))


def read_once(page: Page) -> tuple[float, float]:
    """Return milliseconds from Read to the last card, and the model's."""
    sentences = [make_sentence() for _ in range(N_SENTENCES)]
    page.locator("#sentences textarea").fill("\n".join(sentences))
    page.locator("#stale", has_text="Changed").wait_for()  # what is typed has reached gradio
    total_ms = time_click(page, "#read", "#answers .answer .text", sentences[-1].rsplit(" ", 1)[1].rstrip("."))
    page.locator("#stale:empty").wait_for(state="attached")
    page.wait_for_timeout(1_000)  # the other tabs are filled, which is not what is measured
    found = re.search(r"([\d,]+) ms", page.locator("#work").inner_text())
    return total_ms, float(found[1].replace(",", "")) if found else float("nan")


def walk_the_tabs(page: Page, url: str, n_before: float) -> None:
    """Open each tab, and print the passes since the reading began."""
    for name, content in TABS:
        page.get_by_role("tab", name=name, exact=True).click()
        page.locator(content).locator("visible=true").first.wait_for()
        page.wait_for_timeout(1_000)
        print(f"{count_passes(url) - n_before:4.0f}  after {name}")


def lock_once(page: Page) -> float:
    """Return milliseconds from a click on a lock to the new totals."""
    took = time_click(page, '[data-part="layer_5"] button', ".totals")
    page.wait_for_timeout(700)
    return took


def describe(name: str, values: Sequence[float]) -> str:
    """Write median, least and most of some milliseconds."""
    return f"{name:<34} p50 {statistics.median(values):6.0f} ms   least {min(values):6.0f}   most {max(values):6.0f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=20)
    n_times = parser.parse_args().times
    with running_app() as app, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.set_default_timeout(_LIMIT_MS)
        page.goto(app.url)
        page.locator("#work", has_text="pass").wait_for(timeout=120_000)
        page.wait_for_timeout(2_000)
        read_once(page)
        n_before = count_passes(app.url)
        readings = [read_once(page)]
        print(f"forward passes of a visit with {N_SENTENCES} sentences")
        walk_the_tabs(page, app.url, n_before)
        lock_once(page)
        locks = [lock_once(page) for _ in range(n_times)]
        page.get_by_role("tab", name=TABS[0][0], exact=True).click()
        readings += [read_once(page) for _ in range(n_times)]
        browser.close()
    readings = readings[-n_times:]
    print(describe("Read to the last card", [total for total, _ in readings]))
    print(describe("the model's own", [model for _, model in readings]))
    print(describe("the page's share", [total - model for total, model in readings]))
    print(describe("a lock to the plan's numbers", locks))


if __name__ == "__main__":
    main()
