from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import gradio as gr
import pandas as pd
import pytest

from mtdemo.data.loaded_file import LoadedFile
from mtdemo.data.records import make_tagged
from mtdemo.results import Analysis
from mtdemo.serving.vector_service import VectorService
from mtdemo.ui.tabs.comparing import MAX_LISTED, load_other, show_comparison, tabulate_neighbours
from tests.ui.components.test_cards import HOSTILE, OURS, Reader
from tests.ui.conftest import INFO, FakeService, all_of

TEXT = "Ada met Bob\nnobody came\nCarl is here\nrain"


class Two(FakeService):
    """The model `other` finds no name and calls every sentence that begins with a capital `no`."""

    def analyze(self, sentences, model=None, *_: object, **__: object) -> Analysis:  # type: ignore[no-untyped-def]
        analysis = super().analyze(sentences, model)
        if model != "other":
            return analysis
        changed = [
            replace(s, entities=(), probabilities={"no": 0.8, "yes": 0.2}) if s.text[0].isupper() else s for s in analysis
        ]
        return Analysis(replace(INFO, id="other <b>"), tuple(changed))


def test_disagreements_come_first_and_are_counted(tmp_path: Path) -> None:
    note, rows, csv, *_ = show_comparison(VectorService(Two()), str(tmp_path), TEXT, None, " other ")
    assert note.startswith("**fake** and **other &#60;b&#62;** on 4 sentences. The class changes in **2**.")
    assert "Other entities are found in **2**." in note
    assert "Spearman's correlation of the cosines is 1.00 over 6 pairs" in note
    assert rows.index("Carl") < rows.index("nobody came")
    assert rows.count("differs: class and entities") == 2 and rows.count("the same answers") == 2
    table = pd.read_csv(csv.value["path"])
    assert list(table["sentence number"]) == [1, 3, 2, 4]
    assert table["entities of the first alone"][0] == "Ada (PER); Bob (PER)"
    assert table["difference of the probabilities"][0] == pytest.approx(0.55)


def test_heads_that_cannot_be_compared_are_left_out_and_told(tmp_path: Path) -> None:
    untrained = FakeService(replace(INFO, trained_heads=()))
    note, rows, *_ = show_comparison(VectorService(untrained), str(tmp_path), TEXT, None, "other")
    assert "Their classes are not compared" in note and "Their entities are not compared" in note
    assert "0.75" not in rows and "mark" not in rows


def test_a_model_that_is_missing_or_unnamed_says_so(tmp_path: Path) -> None:
    class Missing(FakeService):
        def analyze(self, sentences, model=None, *_: object, **__: object) -> Analysis:  # type: ignore[no-untyped-def]
            self.load(model)
            return super().analyze(sentences, model)

    with pytest.raises(gr.Error, match="no public model"):
        show_comparison(VectorService(Missing()), str(tmp_path), TEXT, None, "missing")
    with pytest.raises(gr.Error, match=r"no public model 'missing' &lt;b&gt;"):
        all_of(load_other(Missing(), "missing"))
    with pytest.raises(gr.Error, match="No model was named"):
        all_of(load_other(Missing(), None))
    with pytest.raises(gr.Error, match="No model was named"):
        show_comparison(VectorService(Missing()), str(tmp_path), TEXT, None, " ")


def test_many_are_listed_to_a_limit_and_the_rest_is_told(tmp_path: Path) -> None:
    text = "\n".join(f"word {n}" for n in range(70))
    _, rows, csv, *_ = show_comparison(VectorService(Two()), str(tmp_path), text, None, "other")
    assert rows.count("<li") == MAX_LISTED and "20 others" in rows
    assert len(pd.read_csv(csv.value["path"])) == 70


def test_what_was_typed_is_never_markup(tmp_path: Path) -> None:
    _, rows, *_ = show_comparison(VectorService(Two()), str(tmp_path), "\n".join(HOSTILE), None, "other")
    page = Reader(rows)
    assert page.tags <= OURS
    assert not {name for name in page.attributes if name.startswith("on")}


def test_scores_of_both_are_compared_where_the_file_has_labels_and_tags(tmp_path: Path) -> None:
    texts = tuple(TEXT.split("\n"))
    tags = (("B-PER", "O", "B-PER"), ("O", "O"), ("B-PER", "O", "O"), ("O",))
    tagged = tuple(make_tagged(text.split(), its) for text, its in zip(texts, tags, strict=True))
    file = LoadedFile("a", texts, ("text", "label"), tuple((text, "yes") for text in texts), "text", "label", tagged)
    note, *_ = show_comparison(VectorService(Two()), str(tmp_path), TEXT, None, "other", file)
    assert "the macro-F1 of the classes is **1.000** and **0.667**; the second is ahead by -0.333" in note
    assert "the F1 of the entities is **1.000** and **0.000**" in note
    assert note.count("Fewer than 30") == 2
    same, *_ = show_comparison(VectorService(Two()), str(tmp_path), TEXT, None, "embedded", file)
    assert same.count("ahead by 0.000 (0.000 to 0.000), which may be chance") == 2
    assert "Against the labels" not in show_comparison(VectorService(Two()), str(tmp_path), TEXT, None, "other")[0]


def test_two_maps_stand_over_one_another_with_what_changed_in_a_table(tmp_path: Path) -> None:
    class Moved(Two):
        def analyze(self, sentences, model=None, *given: object, **named: object) -> Analysis:  # type: ignore[no-untyped-def]
            analysis = super().analyze(sentences, model)
            first, *others = analysis.sentences
            moved = replace(first, embedding=-first.embedding)
            return replace(analysis, sentences=(moved, *others)) if model == "other" else analysis

    vectors = VectorService(Moved())
    *_, part, about, figure, table = show_comparison(vectors, str(tmp_path), f"{TEXT}\n{HOSTILE[0]}", None, "other")
    changed = tabulate_neighbours(vectors.compare([*TEXT.split("\n"), HOSTILE[0]], None, "other"))
    assert part.visible and "disparity" in about and "other &#60;b&#62;" in about
    lines, one, other = figure.data
    assert len(one.x) == len(other.x) == 5 and other.name == "other &lt;b&gt;"
    assert len(lines.x) == 3 * len(changed) > 0
    assert table.visible and changed["sentence"][0] == 1 and changed["shared neighbours"][0] < 1
    assert not any("<" in text.replace("<br>", "") for text in one.text)
    *_, part, _, figure, _ = show_comparison(vectors, str(tmp_path), "one\ntwo", None, "other")
    assert not part.visible and figure is None
