"""The endpoints, called through gradio's own client on a real server."""

import json
import re
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from mtdemo.models.catalog import KNOWN_MODELS
from mtdemo.planning.scenarios import SCENARIOS
from mtdemo.serving.service import ModelService

SENTENCES = ["John lives in Paris.", "I love it!"]
LENGTHS = {"text", "n_tokens", "n_truncated", "n_unknown", "model"}


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
    assert plan["warnings"] == [], "a scenario as it is, is nothing to warn of"
    assert client.predict(api_name="/freezing_plan")["trainable_share"] == 1.0


@pytest.mark.parametrize(
    ("sentences", "words"),
    [
        ([], "no sentence to read"),
        (["  "], "It is blank"),
        (["a"] * 12_000, "12,000 sentences"),
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


def test_the_description_of_a_plan_names_every_backbone_and_scenario(client: Client) -> None:
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    description = endpoints["/freezing_plan"]["description"]
    assert description.startswith("Plan what trains; nothing is changed. backbone: embedded, bert-base-uncased or ")
    assert "gradual_unfreezing, biases_only or low_rank_adapters; n_frozen_layers" in description
    for name in (*(known.id for known in KNOWN_MODELS), *(scenario.name for scenario in SCENARIOS)):
        assert re.search(rf"\b{name}\b", description), name
    assert endpoints["/embed"]["description"].startswith("Embed sentences. Returns per sentence: text, n_tokens")
