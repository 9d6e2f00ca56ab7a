"""Models put together: each part is what its model says alone, at one pass for each different model."""

from __future__ import annotations

import json
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from mtdemo.config import Settings
from mtdemo.errors import CheckpointNotFoundError, InvalidCheckpointError, ModelTooLargeError
from mtdemo.models.hub import is_directory_name, load_model
from mtdemo.models.repository.together import PartNames, read_part_names
from mtdemo.results import ANSWER_PARTS, Analysis
from mtdemo.serving.service import ModelService
from mtdemo.serving.vector_service import VectorService
from tests.repositories import EMBEDDERS, make_classifier, make_embedder

TEXTS = ("John sings in Paris.", "the cat 🎉 sat on the mat " * 20, "sing")

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """An embedder that keeps case and reads 48 pieces, a classifier and a tagger that read 64: directories by name."""
    root = tmp_path_factory.mktemp("together")
    embedder = {**EMBEDDERS["prompts without default"], "lower": False}
    made = {
        "a": make_embedder(root / "a", **embedder),
        "b": make_classifier(root / "b", "Roberta", "ForSequenceClassification", ["no", "yes", "maybe"]),
        "c": make_classifier(root / "c", "DistilBert", "ForTokenClassification", ["B-PER", "O", "I-PER"]),
    }
    return {name: str(directory) for name, directory in made.items()}


def answers(model: str, texts: tuple[str, ...] = TEXTS) -> tuple[Analysis, int]:
    service = ModelService(Settings(model=model, max_length=64))
    return service.analyze(texts), service.n_forward_passes


@pytest.fixture(scope="module")
def alone(own: dict[str, str]) -> dict[str, Analysis]:
    return {name: answers(f"{path}+{path}+{path}")[0] for name, path in own.items()}


@pytest.mark.parametrize("names", list(product("abc", repeat=3)), ids="".join)
def test_each_part_is_what_its_model_says_alone(
    names: tuple[str, str, str], own: dict[str, str], alone: dict[str, Analysis]
) -> None:
    together, n_passes = answers("+".join(own[name] for name in names))
    whose = [own[name] for name in names]
    assert together.model.sources == tuple(whose)
    assert together.model.passes_per_sentence == len(set(names)) == together.as_dict()["model"]["passes_per_sentence"]
    assert together.n_passes == n_passes
    embedding, classes, entities = (alone[name] for name in names)
    assert n_passes == sum(alone[name].n_passes for name in set(names))
    np.testing.assert_array_equal(together.embeddings, embedding.embeddings)
    for row, sentence in enumerate(together):
        assert sentence.probabilities == classes.sentences[row].probabilities
        assert sentence.entities == entities.sentences[row].entities
        for part, its in zip(ANSWER_PARTS, (embedding, classes, entities), strict=True):
            assert sentence.reading_of(part) == its.sentences[row].reading_of(part)
        assert sentence.n_tokens == sum(alone[name].sentences[row].n_tokens for name in set(names))
        assert sentence.n_truncated == sum(alone[name].sentences[row].n_truncated for name in set(names[:2]))
    assert (together.model.class_labels, together.model.entity_types) == (
        classes.model.class_labels,
        entities.model.entity_types,
    )
    assert together.model.trained_heads == (
        *(["classification_head"] if names[1] == "b" else []),
        *(["ner_head"] if names[2] == "c" else []),
    )


def test_what_is_asked_about_vectors_is_of_the_embeddings_model(own: dict[str, str]) -> None:
    together = VectorService(ModelService(Settings(model="+".join(own.values()), max_length=64)))
    alone = VectorService(ModelService(Settings(checkpoint=own["a"], max_length=64)))
    assert together.background() == alone.background(), "which the page asks after every reading"
    assert together.rank("the cat", list(TEXTS)).ranking == alone.rank("the cat", list(TEXTS)).ranking


def test_one_model_three_times_is_that_model(own: dict[str, str]) -> None:
    plain = ModelService(Settings(checkpoint=own["b"], max_length=64))
    (one, n_passes) = answers("+".join([own["b"]] * 3), TEXTS[:1])
    assert n_passes == 1
    assert one.sentences[0].as_dict() == plain.analyze(TEXTS[:1]).sentences[0].as_dict()


def test_records_count_what_their_own_model_read(own: dict[str, str]) -> None:
    (_, long, _) = answers("+".join(own.values()))[0]
    counts = {part: long.length_as_dict(part)["n_truncated"] for part in ANSWER_PARTS}
    assert counts["embedding"] > counts["classes"] > 0, "48 pieces are read for the one, 64 for the other"
    assert long.embedding_as_dict()["n_truncated"] == counts["embedding"]
    assert long.classification_as_dict()["n_truncated"] == counts["classes"]
    assert long.as_dict()["n_truncated"] == long.n_truncated == counts["embedding"] + counts["classes"]


def test_a_prompt_is_read_for_the_embedding_alone(own: dict[str, str], alone: dict[str, Analysis]) -> None:
    service = ModelService(Settings(model="+".join(own.values()), max_length=64))
    asked = service.analyze(TEXTS, prompt="query")
    assert not np.array_equal(asked.embeddings[0], alone["a"].embeddings[0])
    assert [each.probabilities for each in asked] == [each.probabilities for each in alone["b"]]
    assert [each.entities for each in asked] == [each.entities for each in alone["c"]]


def test_a_part_is_shared_with_who_asks_for_it_alone(own: dict[str, str]) -> None:
    name = "+".join([own["a"], "embedded", "embedded"])
    service = ModelService(Settings(model=name, checkpoint=own["b"]))
    service.analyze(["the cat"])
    n_passes = service.n_forward_passes
    assert service.loaded("embedded") is not None
    assert service.analyze(["the cat"], "embedded").n_cached == 1
    assert service.analyze(["the cat"]).n_cached == 1
    assert service.n_forward_passes == n_passes == 2
    assert service.get_model(name, "classes") is service.get_model("embedded")


def test_a_file_names_the_same(own: dict[str, str], tmp_path: Path) -> None:
    file = tmp_path / "together.json"
    file.write_text(json.dumps(dict(zip(ANSWER_PARTS, own.values(), strict=True))))
    service = ModelService(Settings(model=str(file)))
    assert service.load().sources == tuple(own.values())
    for content, words in (("{", "is not JSON"), ('{"embedding": "a"}', "keys embedding, classes, entities")):
        file.write_text(content)
        with pytest.raises(InvalidCheckpointError, match=words):
            ModelService(Settings(model=str(file))).load()
    with pytest.raises(CheckpointNotFoundError, match="cannot be read"):
        ModelService(Settings(model=f"{tmp_path}/none.json")).load()


def test_a_visitor_names_no_directory_and_no_file(own: dict[str, str], tmp_path: Path) -> None:
    service = ModelService(Settings(checkpoint=own["b"]))
    (tmp_path / "x.json").write_text(json.dumps(dict(zip(ANSWER_PARTS, own.values(), strict=True))))
    for name in (f"{own['a']}+embedded+embedded", str(tmp_path / "x.json"), f"embedded+{tmp_path}/x.json+embedded"):
        with pytest.raises(CheckpointNotFoundError, match="is not a model id"):
            service.load(name)
    with pytest.raises(CheckpointNotFoundError, match="does not name three models"):
        service.load("embedded+embedded")
    with pytest.raises(CheckpointNotFoundError, match="switched off"):
        ModelService(Settings(checkpoint=own["b"], hub_models=False)).load("embedded+owner/name+embedded")
    assert service.load("embedded+embedded+embedded").passes_per_sentence == 1


def test_who_wants_one_backbone_is_told_which_there_are(own: dict[str, str]) -> None:
    name = f"{own['a']}+{own['b']}+{own['a']}"
    told = f"no single backbone to train, explain, measure or save. Choose one of them: {own['a']}, {own['b']}."
    with pytest.raises(InvalidCheckpointError, match=told):
        load_model(name)
    with pytest.raises(InvalidCheckpointError, match=told):
        ModelService(Settings(model=name)).get_model()


def test_the_bound_on_memory_holds_for_all_together(own: dict[str, str]) -> None:
    size = ModelService(Settings(checkpoint=own["b"])).get_model().n_bytes
    name = "+".join([own["b"], own["c"], own["b"]])
    with pytest.raises(ModelTooLargeError, match="together"):
        ModelService(Settings(model=name, max_model_bytes=size + 1000)).load()


def test_names_are_read_alike_however_they_are_written() -> None:
    page = "https://huggingface.co/owner/name"
    assert read_part_names(f" embedded + {page} + owner/name@v2 ") == PartNames("embedded", "owner/name", "owner/name@v2")
    assert read_part_names("owner/name") is None
    assert not is_directory_name("./a+./b+embedded")
    assert is_directory_name("./a")
