from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event, Thread
from time import sleep

import pytest

from mtdemo.config import MAX_TRAINED_MODELS, Settings
from mtdemo.errors import CheckpointNotFoundError, TooBusyError
from mtdemo.models import hub
from mtdemo.results import ProgressCallback
from mtdemo.serving.model_source import Download
from mtdemo.serving.model_store import MAX_LOADING, ModelStore

Write = Callable[..., Path]


@pytest.fixture
def loads(tiny: Write, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A hub that gives a tiny model for any id, and the ids it was asked for."""
    directory, asked = tiny(), []

    def download(hub_id: str, max_bytes: int | None = None, *_: object) -> Path:
        asked.append(hub_id)
        return directory

    monkeypatch.setattr(hub, "download", download)
    return asked


def test_a_model_is_loaded_once_however_many_ask(loads: list[str]) -> None:
    store = ModelStore(Settings())
    threads = [Thread(target=store.get, args=["a"]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert loads == ["a"]


def test_who_waits_for_a_load_that_fails_shares_its_error_and_the_next_one_tries_again(
    loads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, started, fail = ModelStore(Settings()), Event(), Event()
    real = hub.download

    def download(hub_id: str, max_bytes: int | None = None, *_: object) -> Path:
        started.set()
        if not fail.is_set():
            assert fail.wait(10)
            loads.append("failed")
            raise CheckpointNotFoundError("gone")
        return real(hub_id, max_bytes)

    monkeypatch.setattr(hub, "download", download)
    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(store.get, "a")]
        assert started.wait(10)
        asking += [pool.submit(store.get, "a") for _ in range(2)]
        sleep(0.1)  # until they wait
        fail.set()
        assert {type(each.exception()) for each in asking} == {CheckpointNotFoundError}
    assert loads == ["failed"]
    store.get("a")
    assert loads == ["failed", "a"]


def test_so_many_load_at_once_and_whoever_wants_one_in_memory_does_not_wait(
    loads: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, go_on = ModelStore(Settings()), Event()
    known = store.get("known")

    def download(hub_id: str, *_: object) -> Path:
        assert go_on.wait(10)
        raise CheckpointNotFoundError("gone")

    monkeypatch.setattr(hub, "download", download)
    with ThreadPoolExecutor(MAX_LOADING) as pool:
        hanging = [pool.submit(store.get, f"silent-{number}") for number in range(MAX_LOADING)]
        while len(store._loading) < MAX_LOADING:
            sleep(0.01)
        with pytest.raises(TooBusyError, match="being loaded for others"):
            store.get("one-too-many")
        assert store.get("known") is known
        go_on.set()
        assert {type(each.exception()) for each in hanging} == {CheckpointNotFoundError}
    with pytest.raises(CheckpointNotFoundError, match="gone"):
        store.get("one-too-many")


def test_a_download_says_how_far_it_is(loads: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    store, seen = ModelStore(Settings()), []
    directory = hub.download("x")

    def download(hub_id: str, max_bytes: int, with_login: bool, max_disk_bytes: int, progress: ProgressCallback) -> Path:
        for n_done in (0, 25, 50):
            progress("downloading", n_done, 100)
            seen.append(store.downloading("a+embedded+embedded"))
        return directory

    monkeypatch.setattr(hub, "download", download)
    assert store.downloading("a") is None
    store.get("a")
    assert [(each.n_done, each.n_bytes) for each in seen if each] == [(0, 100), (25, 100), (50, 100)]
    assert store.downloading("a") is None
    assert Download(0, 100, 5.0, 9.0).seconds_left is None
    assert Download(25, 100, 5.0, 9.0).seconds_left == 12.0


def test_the_least_recently_used_model_leaves(loads: list[str]) -> None:
    store = ModelStore(Settings(max_models=2))
    for name in ("a", "b", "a", "c"):
        store.get(name)
    assert store.find("b") is None
    assert store.find("a") is not None
    assert store.find("c") is not None
    assert store.get("b").name == "b"
    assert loads == ["a", "b", "c"], "it came back from the disk"


def test_memory_bounds_the_number_too(loads: list[str]) -> None:
    n_bytes = ModelStore(Settings()).get("a").loaded.n_bytes
    store = ModelStore(Settings(max_models=5, max_model_bytes=2 * n_bytes))
    for name in ("a", "b", "c"):
        store.get(name)
    assert store.find("a") is None
    assert store.find("c") is not None


def test_a_model_that_comes_back_has_another_number(loads: list[str]) -> None:
    store = ModelStore(Settings(max_models=1))
    first = store.get("a").models[0].number
    store.get("b")
    assert store.get("a").models[0].number != first


def test_visitors_load_nothing_where_that_is_switched_off(loads: list[str]) -> None:
    store = ModelStore(Settings(hub_models=False, model="mine"))
    store.get("mine")
    with pytest.raises(CheckpointNotFoundError, match="switched off"):
        store.get("other")
    assert loads == ["mine"]


@pytest.mark.parametrize(
    ("allowed", "refused"),
    [
        ("known", ["a", "b", "bert-base-uncased@main"]),
        ("a", ["b", "bert-base-uncased"]),
        ("known, a", ["b"]),
        ("", ["a"]),
        ("*", []),
    ],
)
def test_visitors_load_only_what_is_listed(loads: list[str], allowed: str, refused: list[str]) -> None:
    store = ModelStore(Settings(allowed_models=allowed, model="mine"))
    for name in ("mine", "embedded", "a", "b", "bert-base-uncased", "bert-base-uncased@main"):
        if name in refused:
            with pytest.raises(CheckpointNotFoundError, match="only the models of its list: embedded"):
                store.get(name)
        elif name in ("mine", "embedded") or allowed == "*":
            store.get(name)
    assert "mine" in loads and not set(refused) & set(loads)


def test_models_made_here_never_push_out_loaded_ones_and_leave_in_their_turn(loads: list[str]) -> None:
    store = ModelStore(Settings(max_models=1))
    loaded = store.get("a").models[0].loaded
    names = [store.register(loaded, f"owner {number}") for number in range(MAX_TRAINED_MODELS + 1)]
    assert store.find("a") is not None
    assert [name for name in names if store.find(name) is None] == names[:1]
    with pytest.raises(CheckpointNotFoundError, match="had to make room"):
        store.get(names[0])
    store.drop("owner 2")
    store.drop("nobody")
    assert store.find(names[2]) is None
    store.register(loaded, "owner 2")
    again = store.register(loaded, "owner 1")
    assert again == names[1], "an owner has one"
    assert store.find(names[2]) is not None


def test_the_name_of_a_trained_model_cannot_be_made_from_its_owners(loads: list[str]) -> None:
    stores = [ModelStore(Settings()) for _ in range(2)]
    loaded = stores[0].get("a").loaded
    names = [store.register(loaded, owner) for store in stores for owner in ("visitor", "other")]
    assert len(set(names)) == 4, "another process would give another name"
    assert not [name for name in names if "visitor" in name]
    assert stores[0].register(loaded, "visitor") == names[0]
    with pytest.raises(CheckpointNotFoundError):
        stores[0].get("trained: visitor")


def test_what_a_visitor_trained_becomes_no_part_of_what_stays(loads: list[str]) -> None:
    store = ModelStore(Settings())
    name = store.register(store.get("a").models[0].loaded, "visitor")
    for other in (f"{name}#cls", f"{name}+a+a"):
        with pytest.raises(CheckpointNotFoundError, match="answers as it is"):
            store.get(other)


def test_a_name_that_is_no_name_is_not_repeated(loads: list[str]) -> None:
    with pytest.raises(CheckpointNotFoundError, match="at most 256 characters") as caught:
        ModelStore(Settings()).get("x" * 257)
    assert "xx" not in str(caught.value)
    assert not loads
