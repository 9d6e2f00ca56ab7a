"""How long from Read to the last card, in a browser, beside the time that the model itself takes.

    python -m benchmarks.page [--visits 20]

Each time five sentences that nobody read before are put into the box and Read is clicked; the clock of the page runs from
the click until the card of the last sentence stands there. The model's own time is what the page says under the box.
Browser, app and this process share the cores. Needs chromium at /usr/bin/chromium and playwright.
"""

from __future__ import annotations

import argparse
import re
import statistics

from playwright.sync_api import Page, sync_playwright

from benchmarks.load import make_sentence
from benchmarks.running_app import running_app

_READ = """(last) => new Promise((resolve) => {
  const cards = document.querySelector("#answers");
  const seen = () => [...cards.querySelectorAll(".answer .text")].at(-1)?.textContent.includes(last);
  const watcher = new MutationObserver(() => {
    if (!seen()) return;
    watcher.disconnect();
    requestAnimationFrame(() => resolve(performance.now() - begin));
  });
  watcher.observe(cards, { subtree: true, childList: true, characterData: true });
  const begin = performance.now();
  document.querySelector("#read").click();
})"""


def read_once(page: Page) -> tuple[float, float]:
    """Milliseconds from the click to the last card, and of the model."""
    sentences = [make_sentence() for _ in range(5)]
    page.locator("#sentences textarea").fill("\n".join(sentences))
    page.wait_for_timeout(200)  # what is typed reaches gradio
    number = sentences[-1].rsplit(" ", 1)[1]
    total_ms = float(page.evaluate(_READ, number))
    page.wait_for_timeout(1_500)  # the other tabs are filled, which is not what is measured
    found = re.search(r"([\d,]+) ms", page.locator("#work").inner_text())
    return total_ms, float(found[1].replace(",", "")) if found else float("nan")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--visits", type=int, default=20)
    n_visits = parser.parse_args().visits
    with running_app() as app, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.goto(app.url)
        page.locator("#work", has_text="pass").wait_for(timeout=120_000)
        page.wait_for_timeout(2_000)
        read_once(page)
        times = [read_once(page) for _ in range(n_visits)]
        browser.close()
    for name, values in (
        ("Read to last card", [total for total, _ in times]),
        ("the model's own", [model for _, model in times]),
        ("the page's share", [total - model for total, model in times]),
    ):
        print(f"{name:<20} p50 {statistics.median(values):6.0f} ms   least {min(values):6.0f}   most {max(values):6.0f}")


if __name__ == "__main__":
    main()
