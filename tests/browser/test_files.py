"""A file on the box, and a long text that is split."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Visit
from tests.browser.test_screens import violations

TABLE = (
    'id,review,label\n1,"The battery, by the way, lasts for days.",positive\n2,The food was cold.,negative\n3,,neutral\n'
    "4,Ada met Bob in Turin.,neutral,too many\n"
)
LONG = (
    "Dr. Ada Lovelace met Charles Babbage in London. They spoke of engines for hours! Nobody else understood a word of it. "
    "The soup was cold.\nShort line."
)
DROP = """(text) => {
  const data = new DataTransfer();
  data.items.add(new File([text], "dropped.csv", { type: "text/csv" }));
  return data;
}"""


def open_file(page: Page, path: Path) -> None:
    page.locator("#actions input[type=file]").set_input_files(path)


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (375, "dark")])
def test_a_table_is_opened_its_column_changed_and_it_leaves_with_its_texts(
    visit: Visit, tmp_path: Path, width: int, theme: str
) -> None:
    path = tmp_path / "reviews.csv"
    path.write_text(TABLE)
    with visit(width, theme, of_gradio=("Method not implemented.",)) as page:
        cards, told = page.locator("#answers .answer"), page.locator("#loaded")
        open_file(page, path)
        expect(cards).to_have_count(2)
        for words in ("reviews.csv: 2 texts from the column review", "2 classes in label", "1 row without a text"):
            expect(told).to_contain_text(words)
        expect(told).to_contain_text("1 row of more cells than columns left out, line 5 first")
        expect(page.locator("#stale")).to_be_empty()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        check_buttons_are_within(page, width)
        assert violations(page) == []
        page.get_by_label("label: positive").click()
        expect(page.locator("#sentences textarea")).to_have_value("positive\nnegative\nneutral")
        expect(cards).to_have_count(3)
        (tmp_path / "no.pdf").write_text("%PDF")
        open_file(page, tmp_path / "no.pdf")
        expect(page.get_by_role("alert")).to_contain_text("no.pdf is of a kind that is not read")
        assert violations(page) == []
        expect(cards).to_have_count(3)
        (tmp_path / "big.txt").write_text("a\n" * 2_100_000)
        open_file(page, tmp_path / "big.txt")
        expect(page.locator("#stale")).to_contain_text("big.txt has 4.2 MB; at most 4 are read here.")
        page.get_by_role("button", name="A negation").click()
        expect(told).to_be_hidden()
        expect(page.locator("#columns")).to_be_hidden()


def test_a_file_is_dropped_on_the_box_and_beside_it_nothing_happens(visit: Visit) -> None:
    with visit(of_gradio=("Method not implemented.",)) as page:
        page.dispatch_event("#tabs", "drop", {"dataTransfer": page.evaluate_handle(DROP, "text\nNo.\n")})
        data = page.evaluate_handle(DROP, "text,kind\nOne <b>.,a\nTwo.,b\n")
        page.dispatch_event("#sentences textarea", "dragover", {"dataTransfer": data})
        expect(page.locator("#ask.dropping")).to_be_visible()
        page.dispatch_event("#sentences textarea", "drop", {"dataTransfer": data})
        expect(page.locator("#loaded")).to_contain_text("dropped.csv: 2 texts")
        expect(page.locator("#ask.dropping")).to_have_count(0)
        expect(page.locator("#sentences textarea")).to_have_value("One <b>.\nTwo.")


def test_a_long_file_is_read_whole_and_its_first_lines_stand_in_the_box(visit: Visit, tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text("\n".join(f"Line {number}." for number in range(230)))
    with visit(of_gradio=("Method not implemented.",)) as page:
        box, work, told = page.locator("#sentences textarea"), page.locator("#work"), page.locator("#preview")
        open_file(page, path)
        expect(work).to_contain_text("230 sentences")
        assert box.input_value().count("\n") == 199
        expect(told).to_contain_text("The first 200 of 230 lines stand in the box; all are read.", use_inner_text=True)
        expect(page.locator("#stale")).to_be_empty()
        box.press("Control+End")
        box.press_sequentially("!")
        expect(told).to_contain_text("Changed: only what stands in the box is read", use_inner_text=True)
        expect(page.locator("#stale")).to_contain_text("Changed since it was read")
        box.press("Control+Enter")
        expect(work).to_contain_text("200 sentences")
        box.press("Backspace")
        expect(told).to_contain_text("all are read", use_inner_text=True)
        box.press("Control+Enter")
        expect(work).to_contain_text("230 sentences")


def check_buttons_are_within(page: Page, width: int) -> None:
    for button in page.locator("#actions button").locator("visible=true").all():
        box = button.bounding_box()
        assert box and box["x"] >= 0 and box["x"] + box["width"] <= width - 12, button.inner_text()


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (375, "dark")])
def test_splitting_is_offered_for_long_lines_and_can_be_undone(visit: Visit, width: int, theme: str) -> None:
    with visit(width, theme) as page:
        split, box = page.locator("#split"), page.locator("#sentences textarea")
        expect(split).to_be_hidden()
        box.fill(LONG)
        expect(split).to_be_visible()
        check_buttons_are_within(page, width)
        assert violations(page) == []
        split.click()
        expect(page.locator("#answers .answer")).to_have_count(5)
        expect(page.locator("#loaded")).to_contain_text("Split into 5 sentences")
        assert box.input_value().split("\n")[0] == "Dr. Ada Lovelace met Charles Babbage in London."
        expect(split).to_be_hidden()
        page.get_by_role("button", name="Put back").click()
        expect(box).to_have_value(LONG)
        expect(page.locator("#answers .answer")).to_have_count(2)
