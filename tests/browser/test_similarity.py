from __future__ import annotations

from pathlib import Path

import numpy as np
from playwright.sync_api import Page, expect

from tests.browser.conftest import ask


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


def test_nothing_typed_is_told_and_the_page_goes_on(page: Page) -> None:
    ask(page, "Sentences to compare", "  \n ", "Compare")
    expect(page.get_by_text("There is nothing to read yet")).to_be_visible()
    ask(page, "Sentences to compare", "one\ntwo", "Compare")
    expect(page.locator(".js-plotly-plot .ytick")).to_have_count(2)
