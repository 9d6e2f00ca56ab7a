"""The real client of the hub, asking a small hub on this machine."""

from __future__ import annotations

import errno
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from mtdemo.config import Settings
from mtdemo.errors import (
    CheckpointError,
    CheckpointNotFoundError,
    HubUnreachableError,
    InvalidCheckpointError,
    ModelTooLargeError,
)
from mtdemo.models import hub
from mtdemo.models.hub import download, is_directory_name, load_model
from mtdemo.models.repository.fetching import explain
from mtdemo.serving.service import ModelService
from tests.fake_hub import FakeHub, serve
from tests.repositories import EMBEDDERS, make_embedder, make_encoder

Write = Callable[..., Path]


@pytest.fixture
def local(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """A hub with one model, `owner/name`; nothing in the cache, and little patience."""
    make_encoder(tmp_path / "hub" / "owner" / "name")
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setattr(hub, "SILENCE_S", 1.5)
    monkeypatch.setattr(hub, "STALL_S", 1.0)
    with serve(tmp_path / "hub") as running:
        monkeypatch.setattr(constants, "ENDPOINT", running.address)
        template = running.address + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield running


def test_a_missing_directory_is_named() -> None:
    with pytest.raises(CheckpointNotFoundError, match="/nowhere/at/all"):
        load_model("/nowhere/at/all")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("./typo", True), ("/nowhere", True), ("~/x", True), ("a/b/c", True), ("owner/name", False), ("bert-base ", False)],
)
def test_a_name_means_a_directory_or_an_id(name: str, expected: bool) -> None:
    assert is_directory_name(name) is expected


@pytest.mark.parametrize("name", ["../../etc", "/etc/passwd", "a b", "", "a/b/c", "~/x", "C:\\x"])
def test_an_id_of_the_hub_is_never_taken_for_a_path(name: str, local: FakeHub) -> None:
    with pytest.raises(CheckpointNotFoundError, match="not a model id"):
        download(name)
    assert not local.asked


@pytest.mark.parametrize("name", [" owner/name ", "owner/name@v2", "https://huggingface.co/owner/name/tree/main"])
def test_a_model_is_downloaded_by_named_files_and_loaded_as_a_directory(name: str, local: FakeHub) -> None:
    directory = local.root / "owner" / "name"
    for other in ("train_data.json", "pytorch_model.bin", "evil.py", "model.fp16.safetensors"):
        (directory / other).write_text("{}")
    assert load_model(name).info.id == name.strip()
    assert local.fetched == {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"}


def test_an_embedder_is_downloaded_with_all_that_makes_its_embedding(local: FakeHub) -> None:
    make_embedder(local.root / "owner" / "labse", **EMBEDDERS["dense"])
    make_embedder(local.root / "owner" / "old", **EMBEDDERS["folder"])
    assert load_model("owner/labse").info.hidden_size == 6
    assert load_model("owner/old").info.pooling == ("cls",)


@pytest.mark.parametrize(
    ("faults", "kind", "words"),
    [
        ({"private": True}, CheckpointNotFoundError, "no public model"),
        ({"gated": True}, CheckpointNotFoundError, "is gated"),
        ({"status": 403}, HubUnreachableError, "refuses access from here"),
        ({"status": 429}, HubUnreachableError, "too many requests"),
        ({"status": 503}, HubUnreachableError, r"fault of its own \(503\)"),
        ({"silent_s": 4}, HubUnreachableError, "the hub does not answer"),
        ({"stall_after": 100}, HubUnreachableError, "stopped sending"),
    ],
    ids=str,
)
def test_a_fault_of_the_hub_has_its_name_and_an_end(
    faults: dict[str, object], kind: type[CheckpointError], words: str, local: FakeHub
) -> None:
    local.faults["owner/name"] = faults
    before = time.monotonic()
    with pytest.raises(kind, match=words) as caught:
        download("owner/name")
    assert time.monotonic() - before < 4
    assert "owner/name" in str(caught.value)
    assert "/" not in str(caught.value).replace("owner/name", "")


def test_a_hub_that_is_not_there_and_one_that_cuts_off_say_so(local: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubUnreachableError, match="cannot be reached from here"):
        download("owner/name")


def test_a_revision_that_is_not_there_is_said(local: FakeHub) -> None:
    with pytest.raises(CheckpointNotFoundError, match="no such revision"):
        download("owner/name@v9")


@pytest.mark.parametrize("faults", [{"status": 503}, {"silent_s": 4}], ids=str)
def test_a_model_in_the_cache_is_used_while_the_hub_is_silent(faults: dict[str, object], local: FakeHub) -> None:
    first = download("owner/name")
    local.faults["owner/name"] = faults
    assert download("owner/name") == first
    assert load_model("owner/name").info.id == "owner/name"


def test_a_part_of_a_model_in_the_cache_is_not_taken_for_it(local: FakeHub) -> None:
    local.faults["owner/name"] = {"stall_after": 100}
    with pytest.raises(HubUnreachableError, match="stopped sending"):
        download("owner/name")
    local.faults["owner/name"] = {"status": 503}
    with pytest.raises(HubUnreachableError, match="503"):
        download("owner/name")


def test_what_is_too_large_is_refused_before_it_is_fetched(local: FakeHub) -> None:
    with pytest.raises(ModelTooLargeError, match=r"owner/name.*download of"):
        download("owner/name", max_bytes=1000)
    assert not local.fetched


@pytest.mark.parametrize(
    ("file", "kind", "words"),
    [
        ("onnx/model.onnx", InvalidCheckpointError, "no weights that can be loaded here .* an ONNX export"),
        ("model-Q4.gguf", InvalidCheckpointError, "GGUF"),
        ("pytorch_model.bin", InvalidCheckpointError, "pickled weights"),
        ("adapter_model.safetensors", InvalidCheckpointError, "no weights that can be loaded"),
    ],
)
def test_a_repository_without_weights_says_what_it_holds(
    file: str, kind: type[CheckpointError], words: str, local: FakeHub
) -> None:
    directory = local.root / "owner" / "name"
    (directory / file).parent.mkdir(exist_ok=True)
    shutil.move(directory / "model.safetensors", directory / file)
    with pytest.raises(kind, match=words):
        download("owner/name")
    (directory / "config.json").unlink()
    with pytest.raises(CheckpointNotFoundError, match=r"no model for transformers: it has no config\.json"):
        download("owner/name")


def test_a_login_of_the_machine_opens_nothing_to_visitors(local: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    local.faults["owner/name"] = {"private": True, "token": "hf_secret"}
    with pytest.raises(CheckpointNotFoundError, match="no public model"):
        ModelService(Settings()).load("owner/name")
    assert ModelService(Settings(hub_login=True)).load("owner/name").id == "owner/name"
    assert ModelService(Settings(model="owner/name")).load().id == "owner/name", "the operator named it"
    assert load_model("owner/name").info.id == "owner/name", "so did whoever wrote a command"


def test_what_came_with_a_login_stays_closed_to_strangers_while_the_hub_is_silent(
    local: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    local.faults["owner/name"] = {"private": True, "token": "hf_secret"}
    download("owner/name", with_login=True)
    local.faults["owner/name"] = {"status": 503}
    with pytest.raises(HubUnreachableError, match="503"):
        download("owner/name")
    with pytest.raises(HubUnreachableError, match="503"):
        ModelService(Settings()).load("owner/name")
    assert download("owner/name", with_login=True).is_dir()
    local.faults["owner/name"] = {}  # it is made public
    download("owner/name")
    local.faults["owner/name"] = {"status": 503}
    assert download("owner/name").is_dir()


def test_a_cache_that_cannot_be_marked_only_waits_for_the_hub(local: FakeHub, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.write_text

    def refuse(path: Path, *given: Any, **named: Any) -> int:
        if path.name == "public_revisions":
            raise PermissionError(errno.EACCES, "no")
        return real(path, *given, **named)

    monkeypatch.setattr(Path, "write_text", refuse)
    assert download("owner/name").is_dir()


def test_models_of_visitors_have_a_bound_on_the_disk(local: FakeHub) -> None:
    make_encoder(local.root / "owner" / "other")
    first = download("owner/name", max_disk_bytes=10**6)
    size = sum(path.stat().st_size for path in first.glob("*"))
    with pytest.raises(ModelTooLargeError, match="models that visitors chose take"):
        download("owner/other", max_disk_bytes=size + 1000)
    assert download("owner/name", max_disk_bytes=size) == first, "what is there takes no more"
    assert download("owner/other", with_login=True, max_disk_bytes=size).is_dir(), "an operator's own do not count"


def test_what_is_coming_and_what_was_interrupted_have_room_kept_for_them(local: FakeHub) -> None:
    for name in ("other", "third"):
        make_encoder(local.root / "owner" / name)
    whole = sum(path.stat().st_size for path in (local.root / "owner" / "name").glob("*"))
    size = sum(path.stat().st_size for path in download("owner/third", with_login=True).glob("*"))
    local.faults["owner/name"] = {"stall_after": 5000}
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(download, "owner/name", max_disk_bytes=whole + 1000)
        while "GET /owner/name/resolve" not in "".join(local.asked):
            time.sleep(0.01)
        with pytest.raises(ModelTooLargeError, match="models that visitors chose take"):
            download("owner/other", max_disk_bytes=whole + size - 1000)
        with pytest.raises(HubUnreachableError, match="stopped sending"):
            coming.result()
    with pytest.raises(ModelTooLargeError):
        download("owner/other", max_disk_bytes=size + 100)
    assert download("owner/other", max_disk_bytes=whole + size - 1000).is_dir(), "an interrupted one takes what has come"


def test_a_download_tells_of_its_bytes(local: FakeHub) -> None:
    told: list[tuple[str, int, int]] = []
    root = download("owner/name", progress=lambda *progress: told.append(progress))
    size = sum(path.stat().st_size for path in root.glob("*"))
    assert {(phrase, n_bytes) for phrase, _, n_bytes in told} == {("downloading", size)}
    counts = [n_done for _, n_done, _ in told]
    assert counts == sorted(counts)
    assert 0 < counts[-1] <= size


@pytest.mark.parametrize(
    ("number", "words"),
    [(errno.ENOSPC, "the disk is full"), (errno.EACCES, "cannot be written"), (errno.EROFS, "read-only")],
)
def test_a_fault_of_the_disk_is_not_laid_on_the_network(
    number: int, words: str, local: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(number, "no", "/a/path/of/the/server")

    monkeypatch.setattr(hub, "hf_hub_download", fail)
    with pytest.raises(HubUnreachableError, match=words) as caught:
        download("owner/name")
    assert "server" not in str(caught.value)


def test_errors_of_any_library_below_have_their_cause() -> None:
    import httpx2

    wrapped = OSError("not in the cache")
    wrapped.__cause__ = httpx2.ConnectTimeout("x")
    reset = httpx2.ReadError("x")
    reset.__cause__ = ConnectionResetError()
    for words, errors in {
        "interrupted": (httpx2.ReadError("x"), httpx2.RemoteProtocolError("x"), RuntimeError("Xet: CAS"), reset),
        "cannot be reached from here": (httpx2.ConnectError("x"), ConnectionRefusedError(), wrapped),
        "does not answer": (httpx2.ReadTimeout("x"), TimeoutError()),
    }.items():
        for error in errors:
            assert words in str(explain(error, "owner/name"))


def test_a_model_that_left_memory_comes_back_without_the_hub(local: FakeHub) -> None:
    service = ModelService(Settings(max_models=1))
    service.load("owner/name")
    service.load()
    assert service.loaded("owner/name") is None
    local.asked.clear()
    local.faults["owner/name"] = {"silent_s": 4}
    assert service.load("owner/name").id == "owner/name"
    assert not local.asked, "whoever asks it again would wait for the hub, and others with him"
