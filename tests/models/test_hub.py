from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    LocalEntryNotFoundError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
)

from mtdemo.errors import CheckpointNotFoundError, HubUnreachableError
from mtdemo.models import hub
from mtdemo.models.hub import download, is_directory_name, load_model

Write = Callable[..., Path]


def test_a_missing_directory_is_named() -> None:
    with pytest.raises(CheckpointNotFoundError, match="/nowhere/at/all"):
        load_model("/nowhere/at/all")


@pytest.mark.parametrize(
    ("name", "expected"),
    [("./typo", True), ("/nowhere", True), ("~/x", True), ("a/b/c", True), ("owner/name", False), ("bert-base", False)],
)
def test_a_name_means_a_directory_or_an_id(name: str, expected: bool) -> None:
    assert is_directory_name(name) is expected


@pytest.mark.parametrize("name", ["../../etc", "/etc/passwd", "a b", "", "a/b/c", "~/x", "C:\\x"])
def test_an_id_of_the_hub_is_never_taken_for_a_path(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub, "hf_hub_download", lambda *_: pytest.fail("asked the hub"))
    with pytest.raises(CheckpointNotFoundError, match="not a model id"):
        download(name)


def of_hub(kind: type[HfHubHTTPError], status: int) -> HfHubHTTPError:
    return kind("no", response=httpx.Response(status, request=httpx.Request("GET", "https://hub.invalid")))


@pytest.mark.parametrize(
    ("failure", "error", "words"),
    [
        (LocalEntryNotFoundError("offline"), HubUnreachableError, "cannot be reached"),
        (ConnectionError("refused"), HubUnreachableError, "cannot be reached"),
        (httpx.ConnectError("refused"), HubUnreachableError, "cannot be reached"),
        (of_hub(HfHubHTTPError, 503), HubUnreachableError, "Try again later"),
        (of_hub(RepositoryNotFoundError, 404), CheckpointNotFoundError, "Check the spelling"),
        (of_hub(GatedRepoError, 403), CheckpointNotFoundError, "asks for a login"),
        (of_hub(RemoteEntryNotFoundError, 404), CheckpointNotFoundError, "has no config.json"),
    ],
)
def test_a_hub_that_gives_nothing_is_one_clear_error(
    failure: Exception, error: type[Exception], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    monkeypatch.setattr(hub, "hf_hub_download", fail)
    with pytest.raises(error, match=words) as caught:
        download("bert-base-uncased")
    assert "bert-base-uncased" in str(caught.value)


def test_a_hub_model_is_downloaded_without_pickles_and_code_and_loaded_as_a_directory(
    tiny: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tiny()
    asked: dict[str, object] = {}

    def snapshot(hub_id: str, **patterns: object) -> str:
        asked.update(patterns, hub_id=hub_id)
        return str(directory)

    monkeypatch.setattr(hub, "hf_hub_download", lambda *_: str(directory / "config.json"))
    monkeypatch.setattr(hub, "snapshot_download", snapshot)
    assert load_model("owner/name").info.id == "owner/name"
    assert asked["hub_id"] == "owner/name"
    assert not {"*.bin", "*.py", "*.pt"} & set(asked["allow_patterns"])  # type: ignore[call-overload]
