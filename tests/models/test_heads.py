"""Loading a model leaves torch's process-wide random numbers alone, which a run in another thread may be using."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import BertModel, DistilBertConfig, DistilBertModel

from mtdemo.data.records import LabelledSentence, TaggedSentence
from mtdemo.errors import InvalidCheckpointError
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.heads import OwnGenerator
from mtdemo.models.loaded import LoadedModel, relabel
from mtdemo.training.loop import train
from mtdemo.training.settings import TrainingSettings
from tests.conftest import SPECIAL, WORDS, make_tokenizer, tiny_config

Write = Callable[..., Path]


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A BERT without heads."""
    directory = tmp_path / "plain"
    BertModel(tiny_config().backbone).save_pretrained(directory)
    make_tokenizer().save_pretrained(directory)
    return directory


def without(directory: Path, prefix: str) -> Path:
    """Take the weights of a prefix out of a checkpoint."""
    weights = load_file(directory / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if prefix not in name}
    assert len(kept) < len(weights)
    save_file(kept, directory / "model.safetensors", metadata={"format": "pt"})
    return directory


def leaves_random_numbers_alone(act: Callable[[], object]) -> bool:
    before = torch.get_rng_state()
    act()
    return torch.equal(before, torch.get_rng_state())


def test_loading_draws_nothing_from_the_process(tiny: Write, plain: Path) -> None:
    for directory in (tiny("whole"), plain, without(tiny("headless"), "ner_head")):
        assert leaves_random_numbers_alone(partial(load_directory, directory, max_bytes=10**9))


def test_a_checkpoint_that_is_refused_draws_nothing_either(tiny: Write, plain: Path) -> None:
    def refuse(directory: Path) -> None:
        with pytest.raises(InvalidCheckpointError, match="lacks"):
            load_directory(directory)

    for broken in (without(tiny(), "layer.0"), without(plain, "layer.0")):
        assert leaves_random_numbers_alone(partial(refuse, broken))


def test_other_kinds_of_backbone_draw_nothing_either(tmp_path: Path) -> None:
    config = DistilBertConfig(vocab_size=len(SPECIAL) + len(WORDS), dim=16, n_layers=1, n_heads=2, hidden_dim=32)
    DistilBertModel(config).save_pretrained(tmp_path)
    make_tokenizer().save_pretrained(tmp_path)
    assert leaves_random_numbers_alone(lambda: load_directory(tmp_path))


def test_other_labels_draw_nothing_and_their_heads_are_ready_to_answer(tiny: Write) -> None:
    loaded = load_directory(tiny())
    assert leaves_random_numbers_alone(lambda: relabel(loaded, ["no", "yes"], ["DRUG"]))
    assert not any(module.training for module in loaded.model.modules()), "without .eval()"
    loaded.model.train()
    relabel(loaded, ["no", "yes", "maybe"])
    assert all(module.training for module in loaded.model.modules()), "a head is as the model is"


def test_the_weights_of_a_run_do_not_depend_on_who_loads_a_model_meanwhile(tiny: Write, plain: Path) -> None:
    directory = tiny()
    tagged = [TaggedSentence(("John", "sat", "on", "the", "cat"), ("PER", "O", "O", "O", "O"))] * 4
    labelled = [LabelledSentence("the cat sat !", "positive"), LabelledSentence("Paris sings", "negative")] * 2

    def run(meanwhile: Callable[[], object]) -> LoadedModel:
        settings = TrainingSettings(n_steps=3, sentences_per_step=4)
        return train(load_directory(directory), tagged, labelled, settings, lambda *_: (meanwhile(), None)[1])

    alone = run(lambda: None).model.state_dict()
    disturbed = run(lambda: load_directory(plain)).model.state_dict()
    assert all(torch.equal(tensor, disturbed[name]) for name, tensor in alone.items())


def test_the_same_seed_draws_the_same_weights_for_everything_that_is_built() -> None:
    def build(seed: int) -> list[torch.Tensor]:
        with OwnGenerator(seed):
            modules = (nn.Linear(3, 3), nn.Embedding(3, 3), nn.LSTM(3, 3))
            return [
                *(p.detach() for module in modules for p in module.parameters()),
                torch.empty(3).normal_(),
                torch.rand(3),
            ]

    one: list[torch.Tensor] = []
    assert leaves_random_numbers_alone(lambda: one.extend(build(1)))
    assert all(torch.equal(a, b) for a, b in zip(one, build(1), strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(one, build(2), strict=True))


def test_what_is_given_a_generator_keeps_it() -> None:
    with OwnGenerator(0):
        mine = torch.empty(3).normal_(generator=torch.Generator().manual_seed(5))
    assert torch.equal(mine, torch.empty(3).normal_(generator=torch.Generator().manual_seed(5)))
