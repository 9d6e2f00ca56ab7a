"""Emoji in a vocabulary that lacks them: each gets a place that was left free, and begins with what its name means.

BERT's uncased vocabulary reads nearly every emoji as `[UNK]`, and with it the word that it is written to, so that
"thanks👍" is nothing at all. It also has a thousand places that were never used.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import regex
import torch
from torch.nn import functional
from transformers import PreTrainedTokenizerBase

from mtdemo.errors import PlanError
from mtdemo.models.checkpoints import load_tokenizer
from mtdemo.models.loaded import LoadedModel

_FREE_PLACE = re.compile(r"\[unused\d+\]")
_EMOJI = regex.compile(r"\p{Emoji}")
_FIRST, _LAST = 0x2000, 0x1FBFF  # below are digits and signs such as ©
# Faces, people and hearts before vehicles and squares, as far as the places go.
_BLOCKS = (range(0x1F600, 0x1F650), range(0x1F900, 0x1FB00), range(0x2600, 0x27C0), range(0x1F300, 0x1F600))


def add_emoji_tokens(loaded: LoadedModel, texts: Iterable[str]) -> tuple[LoadedModel, tuple[str, ...]]:
    """Put emoji into the free places of a model's vocabulary.

    The model itself is changed, its size is not.

    The embedding of each begins as the mean of the word pieces of its Unicode name ("face with tears of joy"), at
    their mean length: the untrained kin of emoji2vec (Eisner et al. 2016, https://arxiv.org/abs/1609.08359).

    Args:
        loaded: the model.
        texts: what it is going to learn from; emoji that stand in them come first.

    Returns:
        The model with its new tokenizer, and the emoji that it knows now and did not before.

    Raises:
        PlanError: there are no free places.
    """
    vocabulary = loaded.tokenizer.get_vocab()
    added = loaded.tokenizer.get_added_vocab()
    free = ((place, piece) for piece, place in vocabulary.items() if _FREE_PLACE.fullmatch(piece) and piece not in added)
    places = sorted(free)
    if not places:
        raise PlanError(
            f"The vocabulary of {loaded.info.id} has no free places ([unused0] and so on), so emoji cannot be added to it."
        )
    taken = list(zip(places, _unknown_emoji(vocabulary, texts), strict=False))  # one of both is longer
    backbone: Any = loaded.model.backbone
    weights: torch.Tensor = backbone.get_input_embeddings().weight
    with torch.no_grad():
        for (place, _), symbol in taken:
            weights[place] = _meaning(unicodedata.name(symbol).lower(), loaded, weights)
    names = {piece: symbol for (_, piece), symbol in taken}
    return replace(loaded, tokenizer=_renamed(loaded.tokenizer, names, loaded.info.id)), tuple(names.values())


def _unknown_emoji(vocabulary: dict[str, int], texts: Iterable[str]) -> tuple[str, ...]:
    counts = Counter(symbol for text in texts for symbol in _EMOJI.findall(text))
    named = (chr(code) for code in range(_FIRST, _LAST + 1) if unicodedata.name(chr(code), ""))
    unknown = [symbol for symbol in named if symbol not in vocabulary and _EMOJI.fullmatch(symbol)]

    def rank(symbol: str) -> tuple[int, int, str]:
        block = next((number for number, codes in enumerate(_BLOCKS) if ord(symbol) in codes), len(_BLOCKS))
        return -counts[symbol], block, symbol

    return tuple(sorted(unknown, key=rank))


def _meaning(name: str, loaded: LoadedModel, weights: torch.Tensor) -> torch.Tensor:
    pieces = weights[loaded.tokenizer(name, add_special_tokens=False)["input_ids"]]
    meaning: torch.Tensor = functional.normalize(pieces.mean(dim=0), dim=0) * pieces.norm(dim=1).mean()
    return meaning


def _renamed(tokenizer: PreTrainedTokenizerBase, names: dict[str, str], model: str) -> PreTrainedTokenizerBase:
    """Copy a tokenizer with other names for some pieces.

    They are found wherever they stand, also inside a word.
    """
    with TemporaryDirectory() as directory:
        tokenizer.save_pretrained(directory)
        file = Path(directory, "tokenizer.json")
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        vocabulary: dict[str, int] = content["model"]["vocab"]
        content["model"]["vocab"] = {names.get(piece, piece): place for piece, place in vocabulary.items()}
        content["added_tokens"] += _added([(vocabulary[piece], name) for piece, name in names.items()])
        content["added_tokens"].sort(key=lambda token: token["id"])
        file.write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
        return load_tokenizer(Path(directory), model)


def _added(tokens: Sequence[tuple[int, str]]) -> list[dict[str, Any]]:
    how = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": False}
    return [{"id": place, "content": name, **how} for place, name in tokens]
