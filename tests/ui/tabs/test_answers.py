import re

import gradio as gr
import pandas as pd
import pytest

from mtdemo.config import Settings
from mtdemo.data.loaded_file import LoadedFile
from mtdemo.serving.service import ModelService
from mtdemo.serving.vector_service import VectorService
from mtdemo.ui.components.sentence_box import MAX_SHOWN, preview
from mtdemo.ui.tabs.answers import as_record, describe_work, read, tabulate_answers
from tests.ui.conftest import FakeService


def test_a_failure_leaves_the_answers_and_is_told_once(fake: FakeService) -> None:
    for text, words in (("  \n ", "nothing to read yet"), ("a\n" * 10_001, "10,001 sentences were given")):
        asked, stood, n_answers, problem, work, answers = read(VectorService(fake), text, None, 3)
        assert (asked, stood, n_answers, work, answers) == (gr.skip(),) * 5
        assert words in problem and "The answers below stay as they were" in problem

    class Missing(FakeService):
        def loaded(self, model: str | None = None) -> None:
            return None

    assert "no public model &#x27;missing&#x27; &lt;b&gt;." in read(VectorService(Missing()), "a", "missing", 0)[3]


def test_a_file_is_read_whole_while_its_preview_stands_in_the_box(fake: FakeService) -> None:
    texts = tuple(f"line {number}" for number in range(MAX_SHOWN + 60))
    file = LoadedFile("a.txt", texts, ("text",), tuple((text,) for text in texts), "text")
    typed = read(VectorService(fake), "\n".join(texts), None, 0)
    asked, stood, *of_file = read(VectorService(fake), preview(file), None, 0, file)
    assert (asked, stood.count("\n")) == (typed[0], MAX_SHOWN - 1)
    assert of_file[-1] == typed[-1] and f"{len(texts)} sentences" in of_file[-2]
    shorter = preview(file).removesuffix("9")
    asked, stood, *_ = read(VectorService(fake), shorter, None, 1, file)
    assert asked == stood == shorter, "what was changed is read alone"
    assert read(VectorService(fake), preview(file) + "\n", None, 2, file)[0] == typed[0], "and is whole again when undone"


def test_the_line_counts_what_was_cut_and_is_unknown(fake: FakeService) -> None:
    line = describe_work(fake.analyze(["long one", "é", "plain"]), 31.4)
    assert line == "<p>3 sentences · 10 pieces · 7 cut · 1 unknown · <b>0 passes</b> · 31 ms</p>"


def test_answers_leave_as_records_and_as_a_table(fake: FakeService) -> None:
    analysis = fake.analyze(["Ada met Bob", "x"])
    assert "embedding" not in as_record(analysis.sentences[0])
    assert as_record(analysis.sentences[0])["entities"][1]["text"] == "Bob"
    table = tabulate_answers(analysis)
    assert isinstance(table, pd.DataFrame)
    assert list(table["entities"]) == ["Ada (PER); Bob (PER)", ""]


@pytest.mark.model
def test_work_is_that_of_this_question_alone(fresh: ModelService) -> None:
    fresh.analyze(["another visitor's sentence"])
    analysis = fresh.analyze(["mine", "another visitor's sentence", "mine"])
    assert (analysis.n_passes, analysis.n_cached) == (1, 1)
    assert fresh.analyze(["mine"]).n_passes == 0
    many = ModelService(Settings(tokens_per_batch=16)).analyze([f"sentence number {n}" for n in range(8)])
    assert many.n_passes > 1
    assert re.search(rf"<b>{many.n_passes} passes</b>", describe_work(many, 1))
