"""Emoji take free places of a vocabulary: what was read before is read as before, and they are read wherever they stand."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from mtdemo.errors import PlanError
from mtdemo.models.checkpoints import load_directory, save_checkpoint
from mtdemo.models.loaded import LoadedModel
from mtdemo.models.vocabulary import add_emoji_tokens

N_PLACES = 994  # [unused0] to [unused993] in the vocabulary of bert-base-uncased
WRITTEN = "thanks👍🏻 ha😂ha, I love it ❤️!"


@pytest.fixture(scope="module")
def named(upstream: Path) -> tuple[LoadedModel, tuple[str, ...]]:
    return add_emoji_tokens(load_directory(upstream), ["🦠 is rare", "🐊🐊"])


def pieces(model: LoadedModel, text: str) -> list[str]:
    return [text[piece.start : piece.end] for piece in model.encode([text], 128)[0].pieces]


def test_every_free_place_is_taken_and_those_that_are_learned_from_come_first(
    named: tuple[LoadedModel, tuple[str, ...]], upstream: Path
) -> None:
    model, emoji = named
    before = load_directory(upstream)
    assert len(emoji) == len(set(emoji)) == N_PLACES
    assert emoji[:3] == ("🐊", "🦠", "😀")
    assert model.info == before.info, "the model has grown by nothing"
    assert not any("[unused" in piece for piece in model.tokenizer.get_vocab())
    assert sorted(model.tokenizer.get_vocab().values()) == sorted(before.tokenizer.get_vocab().values())


def test_text_without_emoji_is_read_as_before(
    named: tuple[LoadedModel, tuple[str, ...]], upstream: Path, sentences: list[str]
) -> None:
    model, emoji = named
    without = ["".join(character for character in text if character not in emoji) for text in sentences]
    assert model.encode(without, 128) == load_directory(upstream).encode(without, 128)


def test_an_emoji_is_a_word_of_its_own_wherever_it_stands(
    named: tuple[LoadedModel, tuple[str, ...]], upstream: Path, tmp_path: Path
) -> None:
    model, _ = named
    assert pieces(load_directory(upstream), WRITTEN)[0] == "thanks👍🏻", "without a place it takes its word along"
    found = ["thanks", "👍", "🏻", "ha", "😂", "ha", ",", "I", "love", "it", "❤", "!"]
    assert pieces(model, WRITTEN) == found
    save_checkpoint(model, tmp_path)
    assert pieces(load_directory(tmp_path), WRITTEN) == found
    words = [piece.word for piece in model.encode([WRITTEN], 128)[0].pieces]
    assert words == list(range(len(found)))


@pytest.mark.parametrize(
    "text", ["thanks👍", "so happy😍", "I failed😭", "crying😂", "bad👎", "tired😴", "yes💯", "my❤️heart"]
)
def test_a_word_survives_the_emoji_that_touches_it(
    text: str, named: tuple[LoadedModel, tuple[str, ...]], upstream: Path
) -> None:
    model, emoji = named
    before = load_directory(upstream)
    unknown = model.tokenizer.unk_token_id
    without = "".join(
        " " if character in emoji or character == "\N{VARIATION SELECTOR-16}" else character for character in text
    )
    words = [piece for piece in model.encode([without], 128)[0].windows[0].input_ids if piece != unknown]
    read = model.encode([text], 128)[0].windows[0].input_ids
    assert unknown not in read
    assert [piece for piece in read if piece in words] == words
    assert unknown in before.encode([text], 128)[0].windows[0].input_ids, "without a place the word is lost"


def test_an_emoji_begins_with_the_meaning_of_its_name(named: tuple[LoadedModel, tuple[str, ...]]) -> None:
    model, _ = named
    vocabulary = model.tokenizer.get_vocab()
    weights = model.model.backbone.get_input_embeddings().weight.detach()
    symbol = weights[vocabulary["😢"]]
    name = weights[[vocabulary[word] for word in ("crying", "face")]]
    torch.testing.assert_close(torch.cosine_similarity(symbol, name.mean(dim=0), dim=0), torch.tensor(1.0))
    torch.testing.assert_close(symbol.norm(), name.norm(dim=1).mean())


def test_a_vocabulary_without_free_places_is_refused(
    named: tuple[LoadedModel, tuple[str, ...]], tiny: Callable[..., Path]
) -> None:
    added = load_directory(tiny("added"))
    added.tokenizer.add_tokens(["[unused0]"])
    for full in (load_directory(tiny()), named[0], added):
        with pytest.raises(PlanError, match="no free places"):
            add_emoji_tokens(full, ["😂"])
