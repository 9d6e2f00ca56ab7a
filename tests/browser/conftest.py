"""A person with a browser: the real app and Debian's chromium, one of each for all tests."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.app_process import AppProcess

Visit = Callable[..., AbstractContextManager[Page]]

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
TABS = (
    "All answers", "Embedding & similarity", "Classification", "Entities", "Compare", "Why & what if",
    "Freezing & optimizer",
)  # fmt: skip
OUTSIDE = re.compile(r"(?!http://127\.0\.0\.1|data:|blob:)")

expect.set_options(timeout=30_000)  # a shared machine can be slow


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists() and not os.environ.get("MTDEMO_REQUIRE_BROWSER"):
        pytest.skip("there is no /usr/bin/chromium (apt install chromium)")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGUMENTS))
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, app: AppProcess) -> Visit:
    """Open a page and wait until its first question is answered.

    At its end no message in the console but for those known `of_gradio`, failed or outside request or dialog may have
    happened.

    Each page has a profile of its own: those of one profile share six connections, of which each page keeps two open.
    """

    @contextmanager
    def open_page(
        width: int = 1280, theme: str = "light", query: str = "", of_gradio: Sequence[str] = ()
    ) -> Iterator[Page]:
        page = browser.new_page(viewport={"width": width, "height": 900})
        page.set_default_timeout(30_000)
        problems: list[str] = []
        page.on("console", lambda m: problems.append(m.text) if m.type in {"error", "warning"} else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: (problems.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("response", lambda r: problems.append(f"{r.status} {r.url}") if r.status >= 400 else None)
        page.on("request", lambda request: problems.append(request.url) if OUTSIDE.match(request.url) else None)
        try:
            page.goto(f"{app.url}/?__theme={theme}{query}")
            expect(page.locator("#work")).to_contain_text("pass", timeout=120_000)
            yield page
        finally:
            page.close()
        assert [problem for problem in problems if problem not in of_gradio] == []

    return open_page


@pytest.fixture
def page(visit: Visit) -> Iterator[Page]:
    """A ready page, wide and light."""
    with visit() as page:
        yield page


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tab", name=name, exact=True).click()


def ask(page: Page, text: str) -> None:
    """Write sentences into the box and read them."""
    page.locator("#sentences textarea").fill(text)
    page.locator("#read").click()
