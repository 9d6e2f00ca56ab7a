"""Parity: what the service answers equals what others compute from the same weights."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from huggingface_hub import try_to_load_from_cache
from transformers import AutoModel, AutoTokenizer, PreTrainedTokenizerBase

from mtdemo.config import EMBEDDED_CHECKPOINT, Settings
from mtdemo.inference import forward as inference
from mtdemo.inference.forward import run_windows
from mtdemo.inference.pipeline import analyze_batches
from mtdemo.models.answering import WindowOutput
from mtdemo.models.loaded import LoadedModel
from mtdemo.models.multitask import MultiTaskModel
from mtdemo.serving.service import ModelService
from mtdemo.text.tokenization import Window, encode_sentences

ATOL = 1e-5


@pytest.fixture(scope="module")
def reference_embeddings(upstream: Path, sentences: list[str]) -> np.ndarray:
    """Normalised means by sentence-transformers, in float32."""
    from sentence_transformers import SentenceTransformer

    theirs = SentenceTransformer(str(upstream), device="cpu")
    theirs.max_seq_length = 128
    return theirs.encode(sentences, batch_size=16)


def test_embeddings_equal_sentence_transformers_batched(
    upstream: Path, sentences: list[str], reference_embeddings: np.ndarray
) -> None:
    service = ModelService(Settings(checkpoint=str(upstream)))
    np.testing.assert_allclose(service.analyze(sentences).embeddings, reference_embeddings, atol=ATOL, rtol=0)


def test_embeddings_equal_sentence_transformers_one_by_one(
    upstream: Path, sentences: list[str], reference_embeddings: np.ndarray
) -> None:
    service = ModelService(Settings(checkpoint=str(upstream)))
    alone = np.concatenate([service.analyze([sentence]).embeddings for sentence in sentences[::2]])
    np.testing.assert_allclose(alone, reference_embeddings[::2], atol=ATOL, rtol=0)


def cases_of(tokenizer: PreTrainedTokenizerBase, text: str) -> list[int]:
    """The case of the word of every piece, 0 for special ones, said in another way than `encoding` does."""
    encoded = tokenizer(text, return_offsets_mapping=True)
    cases = []
    for word in encoded.word_ids():
        ends = [span for span, owner in zip(encoded["offset_mapping"], encoded.word_ids(), strict=True) if owner == word]
        letters = "" if word is None else text[ends[0][0] : ends[-1][1]]
        if letters.lower() == letters:
            cases.append(0)
        elif letters.upper() == letters and len([c for c in letters if c.isalpha()]) >= 2:
            cases.append(2)
        else:
            cases.append(1 if letters == letters[0].upper() + letters[1:].lower() else 3)
    return cases[:-1]


def test_classes_and_tags_equal_a_plain_transformers_loop(embedded: LoadedModel, sentences: list[str]) -> None:
    """With the most probable type of each word, as the plain loop takes it."""
    word_by_word = replace(embedded, scheme=replace(embedded.scheme, type_change_cost=0.0))
    model = AutoModel.from_pretrained(EMBEDDED_CHECKPOINT, dtype=torch.float32).eval()
    tokenizer = AutoTokenizer.from_pretrained(EMBEDDED_CHECKPOINT)
    labels = model.config.entity_labels
    for answer in analyze_batches(word_by_word, sentences[::2], 128):
        inputs = tokenizer(answer.text, truncation=True, max_length=128, return_tensors="pt")
        inputs["token_type_ids"] = torch.tensor([[*cases_of(tokenizer, answer.text)[:127], 0]])
        with torch.no_grad():
            output = model(**inputs)
        expected = output.classification_logits.softmax(-1)[0].tolist()
        assert list(answer.probabilities.values()) == pytest.approx(expected, abs=ATOL)
        if answer.n_truncated:
            continue
        tags = output.ner_logits[0].softmax(-1).numpy()
        words = tokenizer(answer.text).word_ids()
        offsets = tokenizer(answer.text, return_offsets_mapping=True)["offset_mapping"]
        inside = np.zeros(len(answer.text), dtype=object)
        for word in {w for w in words if w is not None}:
            rows = [row for row, owner in enumerate(words) if owner == word]
            label = labels[int(tags[rows].mean(axis=0).argmax())]
            inside[offsets[rows[0]][0] : offsets[rows[-1]][1]] = label if label != "O" else 0
        for entity in answer.entities:
            assert set(inside[entity.start : entity.end]) - {0} == {entity.label}
            inside[entity.start : entity.end] = 0
        assert not inside.any(), "nothing that the plain loop finds is missing"


def test_padding_changes_nothing(embedded: LoadedModel) -> None:
    texts = ["Hi.", "John and Lisa went to Microsoft to work. " * 4]
    (short, long) = (s.windows[0] for s in encode_sentences(embedded.tokenizer, texts, 128))
    (alone,), (padded, _) = run_windows(embedded, [short], 1), run_windows(embedded, [short, long], 1)
    np.testing.assert_allclose(alone.embedding, padded.embedding, atol=ATOL)
    np.testing.assert_allclose(alone.entity_probabilities, padded.entity_probabilities, atol=ATOL)
    inputs = embedded.pad([short, long])
    assert inputs["attention_mask"].sum().item() == len(short.input_ids) + len(long.input_ids)


@pytest.mark.model
def test_order_and_batch_size_change_nothing(sentences: list[str]) -> None:
    large = ModelService(Settings(tokens_per_batch=8192)).analyze(sentences[::3])
    small = ModelService(Settings(tokens_per_batch=64)).analyze(sentences[::3][::-1])
    np.testing.assert_allclose(large.embeddings, small.embeddings[::-1], atol=ATOL)
    for one, other in zip(large, reversed(small.sentences), strict=True):
        assert one.text == other.text
        assert [(e.start, e.end, e.label) for e in one.entities] == [(e.start, e.end, e.label) for e in other.entities]


REFERENCE_VALUES = {  # the first ten numbers of each embedding
    "Fetch Rewards is a good company!": (
        0.03928689, -0.00143429, 0.2790085, -0.02717233, -0.14779724, -0.31053677, 0.1645635, 0.37024096, -0.18737513,
        -0.44514358,
    ),
    "I need this job.": (
        0.31491905, 0.1626341, -0.14195605, -0.28827474, 0.25789863, -0.37616846, 0.3095152, 0.5361839, 0.06199948,
        -0.6030423,
    ),
    "Deep learning models are powerful.": (
        -0.08263097, -0.17430131, -0.03122409, 0.19004294, 0.04576752, -0.34798932, -0.03459389, 0.29230028, 0.28511918,
        -0.5801908,
    ),
}  # fmt: skip


@pytest.mark.model
def test_the_thirty_values_that_the_reference_printed_for_bert_base_uncased() -> None:
    """Runs wherever bert-base-uncased can be loaded, from the local cache or the hub; no test needs the network."""
    if not isinstance(try_to_load_from_cache("bert-base-uncased", "model.safetensors"), str):
        try:
            httpx.head("https://huggingface.co", timeout=3)
        except httpx.HTTPError as error:
            pytest.skip(f"bert-base-uncased is not in the local cache, and the hub does not answer: {error}")
    service = ModelService(Settings(model="bert-base-uncased"))
    for text, values in REFERENCE_VALUES.items():
        (answer,) = service.analyze([text])
        assert answer.embedding[: len(values)].tolist() == pytest.approx(values, abs=1e-5)


def test_a_name_at_word_1000_is_found_once(service: ModelService) -> None:
    filler = "the weather was nice and the road was long so we kept on walking"
    words = " ".join([filler] * 80).split()[:999]
    text = " ".join([*words, "Angela Merkel visited Paris with John Smith ."])
    (answer,) = service.analyze([text])
    assert [(e.text, e.label) for e in answer.entities] == [
        ("Angela Merkel", "PER"), ("Paris", "LOC"), ("John Smith", "PER"),
    ]  # fmt: skip
    assert answer.n_truncated == answer.n_tokens - 128 > 800


@pytest.mark.parametrize("max_length", [8, 16, 61, 128])
def test_names_everywhere_are_neither_doubled_nor_cut_at_a_seam(
    max_length: int, embedded: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With labels that depend on the word piece alone, windows must give what one long window gives."""
    label_of = {
        piece: label
        for label, words in ((1, "angela merkel"), (3, "paris"))
        for piece in embedded.tokenizer(words, add_special_tokens=False)["input_ids"]
    }

    def by_piece(loaded: LoadedModel, windows: Sequence[Window], n_threads: int) -> tuple[WindowOutput, ...]:
        labels = np.eye(5, dtype=np.float32)
        return tuple(
            WindowOutput(
                np.ones(384, np.float32),
                np.full(3, 1 / 3, np.float32),
                labels[[label_of.get(piece, 0) for piece in window.input_ids[window.content]]],
            )
            for window in windows
        )

    monkeypatch.setattr(inference, "run_windows", by_piece)
    text = "Yesterday, Angela Merkel visited Paris! " * 90
    (answer,) = ModelService(Settings()).analyze([text], max_length=max_length)
    assert [e.text for e in answer.entities] == ["Angela Merkel", "Paris"] * 90
    assert all(first.end <= second.start for first, second in pairwise(answer.entities))


def test_a_plain_model_in_training_mode_is_not_what_serves(embedded: LoadedModel) -> None:
    assert isinstance(embedded.model, MultiTaskModel)
    assert not any(module.training for module in embedded.model.modules())
