"""Cards are hand-made HTML, so what a person typed must come out as text."""

from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest

from mtdemo.analysis.vectors.background import Background
from mtdemo.ui.components.cards import render_answers, render_classes
from mtdemo.ui.components.grid import render_grid
from mtdemo.ui.components.messages import is_in_fragments
from tests.ui.conftest import INFO, FakeService

OURS = {
    "ol",
    "li",
    "span",
    "div",
    "p",
    "b",
    "i",
    "q",
    "mark",
    "small",
    "table",
    "thead",
    "tbody",
    "tr",
    "th",
    "td",
    "nav",
    "button",
}
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "</li></ol><script>alert(2)</script>",
    '" onmouseover="alert(3)" x="',
    "${alert(4)} {{constructor}} `${1}`",
    "Ada<svg/onload=alert(5)> met",
)


class Reader(HTMLParser):
    """Notes tags, attributes and text."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("n_times", [1, 20])
def test_what_was_typed_is_never_markup(fake: FakeService, n_times: int) -> None:
    similarity = fake.similarity(HOSTILE * n_times)
    for markup in (render_answers(similarity), render_classes(similarity.analysis), render_grid(similarity)):
        page = Reader(markup)
        assert page.tags <= OURS
        assert not {name for name in page.attributes if name.startswith("on")}
    page = Reader(render_answers(similarity))
    for text in HOSTILE[:4]:
        assert text in page.text


def test_labels_of_a_model_are_never_markup() -> None:
    info = replace(INFO, class_labels=("<b>no", "<i>yes"), entity_types=("<u>",))
    page = Reader(render_answers(FakeService(info).similarity(["Ada met Bob", "x"])))
    assert "u" not in page.tags
    assert "<u> 0.75" in page.text and "<i>yes 0.75" in page.text


def test_a_card_says_everything_in_words(fake: FakeService) -> None:
    page = Reader(render_answers(fake.similarity(["Ada met é and a friend today", "long line"])))
    for words in ("PER 0.75", "yes 0.75", "no", "9 pieces read, 1 unknown", "7 cut"):
        assert words in page.text, words
    assert "aria-label" in page.attributes and "tabindex" in page.attributes


def test_text_that_is_hardly_readable_gets_a_sentence_and_no_answer(fake: FakeService) -> None:
    markup = render_answers(fake.similarity(["é é", "plain", "plain too"]))
    first = markup.split("</li>")[0]
    assert "unknown to this model, a third or more" in first
    assert "no class" in first and "0.75" not in first and "nothing to compare with" in first


def test_words_in_fragments_are_told_and_answered(fake: FakeService) -> None:
    similarity = fake.similarity(["Das Essen war kalt und gut", "plain words of the model s own"])
    first, second = (replace(similarity.analysis.sentences[0], n_tokens=12), similarity.analysis.sentences[1])
    markup = render_answers(replace(similarity, analysis=replace(similarity.analysis, sentences=(first, second))))
    assert "1.7 pieces per word: the model knows few of these words whole" in markup.split("</li>")[0]
    assert "yes 0.75" in markup.split("</li>")[0] and "per word" not in markup.split("</li>")[1]
    assert not is_in_fragments(replace(first, n_tokens=11)) and not is_in_fragments(fake.analyze(["Ab Cd"]).sentences[0])


def test_the_nearest_is_put_beside_random_pairs(fake: FakeService) -> None:
    background = Background(np.linspace(-1, 0.2, 600).astype(np.float32), 36, "a test")
    text = Reader(render_answers(fake.similarity(["plain", "plain too"]), background)).text
    assert "of random pairs" in text or "above all random pairs" in text
    assert "random" not in Reader(render_answers(fake.similarity(["alone"]), background)).text


def test_neighbours_are_others_and_readable(fake: FakeService) -> None:
    similarity = fake.similarity(["a", "é", "b", "c"])
    assert similarity.neighbours[1] is None
    assert {neighbour[0] for neighbour in similarity.neighbours if neighbour} <= {0, 2, 3}
    assert fake.similarity(["alone"]).neighbours == [None]
    far = replace(similarity, nearest=np.array([-1, -1, 0, -1]), nearest_cosines=np.full(4, 0.2, np.float32))
    assert "none is near; the best is <b>1</b>, 0.20" in render_answers(far)


def test_more_than_fifty_sentences_are_a_table_in_pages(fake: FakeService) -> None:
    assert render_answers(fake.similarity([f"word {n}" for n in range(50)])).count('<li class="answer"') == 50
    table = render_answers(fake.similarity([f"word {n}" for n in range(120)]))
    assert table.count("<tr>") == 121
    assert table.count("<tbody hidden>") == 2
    assert "101–120" in table
    turned = render_answers(fake.similarity([f"word {n}" for n in range(120)]), most=1_000)
    assert turned.count("<tbody hidden><template>") == turned.count("</template></tbody>") == 2
    assert turned.replace("<template>", "").replace("</template>", "") == table


def test_untrained_heads_are_named_over_the_answers(untrained: FakeService, fake: FakeService) -> None:
    text = Reader(render_answers(untrained.similarity(["a", "b"]))).text
    assert text.count("Untrained head.") == 2 and "**" not in text
    guesses = Reader(render_answers(untrained.similarity(["Ada met Bob"] * 2))).text
    assert "PER" not in guesses and "yes" not in guesses and guesses.count("no class: untrained") == 2
    assert "Untrained" not in render_answers(fake.similarity(["a", "b"]))


def test_the_grid_is_the_matrix(fake: FakeService) -> None:
    similarity = fake.similarity(["one", "two", "three"])
    page = render_grid(similarity)
    assert page.count("<td") == 9 and page.count("1.00") == 3
    assert render_grid(fake.similarity(["one"])) == ""
