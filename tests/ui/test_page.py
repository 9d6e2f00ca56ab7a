"""The page as a whole, and its endpoints, called through gradio's own client on a real server."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from mtdemo.planning.planner import Planner
from mtdemo.serving.service import ModelService
from mtdemo.ui.page import build_page
from tests.app_process import AppProcess
from tests.ui.conftest import FakeService


@pytest.fixture(scope="module")
def client(app: AppProcess) -> Iterator[Client]:
    client = Client(app.url, verbose=False, analytics_enabled=False)
    yield client
    client.close()


def test_building_the_page_loads_nothing(fake: FakeService, planner: Planner) -> None:
    build_page(fake, planner)
    assert fake.asked == []


def test_every_tab_has_a_named_endpoint_and_nothing_else_is_public(client: Client) -> None:
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(endpoints) == {
        "/embed", "/similarity", "/classify", "/entities", "/analyze", "/freezing_plan",
        "/embedding_tab", "/classification_tab", "/entities_tab",
    }  # fmt: skip
    for name, endpoint in endpoints.items():
        assert endpoint.get("description"), name


SENTENCES = ["John lives in Paris.", "I love it!"]
LENGTHS = {"text", "n_tokens", "n_truncated", "model"}


def _nearly(expected: Any) -> Any:
    """The same, but for the last digits, which depend on how many cores were free."""
    if isinstance(expected, list) and expected and isinstance(expected[0], dict):
        return [{key: _nearly(value) for key, value in row.items()} for row in expected]
    is_numeric = isinstance(expected, float | dict) or (isinstance(expected, list) and expected)
    return pytest.approx(expected, abs=1e-6) if is_numeric else expected


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("embed", {"embedding", "norm"}),
        ("classify", {"label", "probabilities", "trained"}),
        ("entities", {"entities", "trained"}),
        ("analyze", {"embedding", "norm", "label", "probabilities", "entities", "trained_heads"}),
    ],
)
def test_endpoints_answer_what_the_service_answers(
    client: Client, service: ModelService, name: str, keys: set[str]
) -> None:
    records = client.predict(sentences=SENTENCES, api_name=f"/{name}")
    assert [record["text"] for record in records] == SENTENCES
    assert set(records[0]) == LENGTHS | keys
    for record, answer in zip(records, service.analyze(SENTENCES), strict=True):
        expected = json.loads(json.dumps(answer.as_dict()))
        for key in record.keys() & expected.keys():
            assert record[key] == _nearly(expected[key]), key


def test_similarity_comes_with_its_sentences(client: Client) -> None:
    result = client.predict(sentences=SENTENCES, api_name="/similarity")
    assert result["similarity"][0][1] == result["similarity"][1][0]
    assert [set(s) for s in result["sentences"]] == [LENGTHS - {"model"}] * 2
    assert result["model"] == "embedded"


def test_a_plan_comes_with_totals_parts_groups_and_warnings(client: Client) -> None:
    plan = client.predict("bert-base-uncased", "freeze_backbone", 0, api_name="/freezing_plan")
    assert plan["n_frozen"] == 108_891_648
    assert [part["name"] for part in plan["parts"]][-1] == "ner_head"
    assert plan["groups"][0]["learning_rate"] == 3e-4
    assert plan["warnings"]
    assert client.predict(api_name="/freezing_plan")["trainable_share"] == 1.0


@pytest.mark.parametrize(
    ("sentences", "words"),
    [
        ([], "no sentence to read"),
        (["  "], "It is blank"),
        (["a"] * 5000, "5,000 sentences"),
        (["x" * 3_000_000], "3,000,000 characters"),
        ([1], "It must be a text"),
        ("text", "must be a list of strings, not str"),
        (None, "must be a list of strings, not NoneType"),
    ],
)
def test_bad_input_gets_a_sentence(client: Client, sentences: object, words: str) -> None:
    with pytest.raises(AppError, match=words):
        client.predict(sentences=sentences, api_name="/entities")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("gpt", "x", 0), "no backbone|no scenario"), (("embedded", "freeze_backbone", "2"), "whole number"),
     (("embedded", "freeze_backbone", 99), "99 frozen layers")],
)  # fmt: skip
def test_a_bad_plan_gets_a_sentence(client: Client, arguments: tuple[object, ...], words: str) -> None:
    with pytest.raises(AppError, match=words):
        client.predict(*arguments, api_name="/freezing_plan")


@pytest.mark.parametrize("text", ["a\x00b", "<script>alert(1)</script>", "محمد زار القاهرة", "👩‍👧 John"])
def test_odd_text_comes_back_as_it_was(client: Client, text: str) -> None:
    (record,) = client.predict(sentences=[text], api_name="/analyze")
    assert record["text"] == text
    assert all(text[e["start"] : e["end"]] == e["text"] for e in record["entities"])


def test_tabs_answer_too(client: Client) -> None:
    note, _, pairs, vectors, csv, _ = client.predict("A dog.\nA puppy.", api_name="/embedding_tab")
    assert "Answered by `embedded`" in note
    assert pairs["data"][0][2:] == ["A dog.", "A puppy."]
    assert [row[0] for row in vectors["data"]] == ["A dog.", "A puppy."]
    assert csv["value"].endswith(".csv") if isinstance(csv, dict) else csv.endswith(".csv")
    _, pieces, table = client.predict("John met Lisa.", api_name="/entities_tab")
    assert [piece["class_or_confidence"] for piece in pieces if piece["class_or_confidence"]] == ["PER", "PER"]
    assert table["data"][0][1] == "John"
    _, bars, _ = client.predict("What a wonderful day!", api_name="/classification_tab")
    assert bars["value"]["label"] == "positive" if "value" in bars else bars["label"] == "positive"
