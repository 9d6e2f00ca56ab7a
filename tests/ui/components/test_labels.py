"""No text of the page may name the labels of the embedded model where another one answers."""

import re
from dataclasses import replace
from typing import Any

import gradio as gr
import pytest

from mtdemo.models.embedding.pooling import POOLINGS
from mtdemo.planning.planner import Planner
from mtdemo.serving.vector_service import VectorService
from mtdemo.ui.components.labels import COLORS, color_types, describe_classes, describe_embedding, describe_types
from mtdemo.ui.lab.run_controls import describe_formats
from mtdemo.ui.page import build_page
from mtdemo.ui.tabs import classification, entities
from mtdemo.ui.tabs.similarity import show_embeddings
from tests.ui.conftest import INFO, FakeService

EMOTIONS = tuple(f"emotion{number}" for number in range(28))
OTHER = replace(INFO, class_labels=EMOTIONS, entity_types=("GENE", "DRUG"))
OURS = re.compile(r"\b(PER|ORG|LOC|MISC|person|organisation|(?:3|three) classes|sentiment|positive|negative|neutral)\b")


def named(text: str) -> set[str]:
    """What a text says of labels that only the embedded model has."""
    return {match[0] for match in OURS.finditer(text)}


@pytest.fixture
def other() -> FakeService:
    return FakeService(OTHER)


def test_types_have_colours_by_their_place() -> None:
    assert color_types(OTHER) == {"GENE": "teal", "DRUG": "orange"}
    conll = replace(INFO, entity_types=("PER", "ORG", "LOC", "MISC"))
    assert color_types(conll) == {"PER": "teal", "ORG": "orange", "LOC": "blue", "MISC": "purple"}
    many = color_types(replace(INFO, entity_types=tuple(f"T{number}" for number in range(40))))
    assert set(many.values()) == set(COLORS)


def test_labels_are_described_as_far_as_they_are_known() -> None:
    assert describe_types(OTHER) == "GENE · DRUG"
    assert describe_types(INFO) == "PER: a person"
    assert describe_classes(OTHER) == ", ".join(EMOTIONS)
    assert describe_classes(replace(INFO, class_labels=tuple(map(str, range(40))))).endswith("28, 29, and 10 others")


def test_how_an_embedding_is_made_is_said() -> None:
    assert describe_embedding(INFO) == "Its embedding is the mean of all tokens (4 numbers)."
    e5 = replace(INFO, pooling=("cls", "mean"), is_normalized=True, prompt="<b>query: ")
    assert describe_embedding(e5) == (
        "Its embedding is the first token beside the mean of all tokens (4 numbers), brought to length 1. It reads "
        "“&#60;b&#62;query: ” before every sentence."
    )


def test_every_pooling_has_words() -> None:
    for name in POOLINGS:
        assert describe_embedding(replace(INFO, pooling=(name,)))


def test_the_page_names_no_label_before_it_knows_the_model(other: FakeService, planner: Planner) -> None:
    config = build_page(other, planner).get_config_file()
    for component in config["components"]:
        if component["type"] == "dataset" or component["props"].get("elem_classes") == ["card"]:
            continue  # sentences to try, and what the checkpoint's own author says of it
        assert not named(str(component["props"])), component["props"]
    assert not named(str([(each["api_name"], each["api_description"]) for each in config["dependencies"]]))


def test_every_tab_speaks_of_the_labels_of_the_model_that_answers(other: FakeService) -> None:
    note, bars, _ = classification.show_classes(other, "one", None)
    _, _, table = classification.show_classes(other, "one\ntwo", None)
    introduction, spans = entities.introduce(other, None)
    shown: list[Any] = [
        *(note, bars.value, table.value),
        *(introduction, spans.constructor_args, entities.show_entities(other, "Ada met Charles", None)),
        classification.introduce(other, None),
        show_embeddings(VectorService(other), "one\ntwo", None)[0],
    ]
    assert not named(str(shown))
    assert "emotion0, emotion1" in classification.introduce(other, None)
    assert "GENE · DRUG" in introduction
    assert spans.color_map == {"GENE": "teal", "DRUG": "orange"}
    assert {"P(emotion0)", "P(emotion27)"} <= set(table.value["headers"])


def test_a_model_that_is_not_there_yet_has_no_labels() -> None:
    class Loading(FakeService):
        def loaded(self, model: str | None = None) -> None:
            return None

    introduction, spans = entities.introduce(Loading(), None)
    assert spans == gr.skip()
    assert "PER" not in introduction
    assert classification.introduce(Loading(), None).endswith("together they make 1.")


def test_formats_of_files_are_shown_with_the_labels_that_are_learned() -> None:
    assert not named(describe_formats(None)) and "CLASS" in describe_formats(None)
    text = describe_formats(OTHER)
    assert not named(text)
    assert '"label": "emotion27"' in text and '["GENE", "O", "O", "DRUG"]' in text
    ours = replace(INFO, class_labels=("negative", "neutral", "positive"), entity_types=("PER", "ORG", "LOC", "MISC"))
    assert "`Rome B-LOC`" in describe_formats(ours)
    assert "`positive \\| What a day in [Rome](LOC)!`" in describe_formats(ours)
