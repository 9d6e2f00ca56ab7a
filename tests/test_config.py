import os
import platform
import subprocess
import sys
import tempfile
from dataclasses import fields
from pathlib import Path

import pytest

from mtdemo.config import Settings, prepare_environment, prepare_file_folder, read_settings
from mtdemo.errors import SettingsError


def test_flags_win_over_the_environment_and_that_over_defaults() -> None:
    environment = {"MTDEMO_PORT": "1234", "MTDEMO_HOST": "0.0.0.0", "MTDEMO_THREADS": "3"}  # noqa: S104
    settings = read_settings(["--port", "99"], environment)
    assert (settings.port, settings.host, settings.threads) == (99, "0.0.0.0", 3)  # noqa: S104
    assert settings.max_length == 128
    assert read_settings([], {}) == Settings()


def test_every_setting_can_come_from_the_environment() -> None:
    for setting in fields(Settings):
        value = (setting.metadata["choices"] or [{int: "17", bool: "0", str: "x"}[type(setting.default)]])[-1]
        settings = read_settings([], {f"MTDEMO_{setting.name.upper()}": value})
        assert str(getattr(settings, setting.name)) == {"0": "False"}.get(value, value)


def test_a_home_directory_is_found_wherever_it_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for settings in (read_settings(["--checkpoint=~/x"], {}), Settings(checkpoint="~/x")):
        assert settings.checkpoint == str(tmp_path / "x")


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"SYSTEM": "spaces"}, ("0.0.0.0", 7860)),  # noqa: S104
        ({"GRADIO_SERVER_NAME": "::", "GRADIO_SERVER_PORT": "8000"}, ("::", 8000)),
        ({"SYSTEM": "spaces", "MTDEMO_HOST": "127.0.0.1"}, ("127.0.0.1", 7860)),
    ],
)
def test_a_host_that_serves_gradio_apps_says_where_to_listen(
    environment: dict[str, str], expected: tuple[str, int]
) -> None:
    settings = read_settings([], environment)
    assert (settings.host, settings.port) == expected


@pytest.mark.parametrize("environment", [{"SYSTEM": "spaces"}, {"MTDEMO_HOST": "192.168.0.7"}, {"MTDEMO_HOST": "::"}])
def test_strangers_are_given_less_unless_the_operator_says_otherwise(environment: dict[str, str]) -> None:
    public = read_settings([], environment, for_visitors=True)
    assert (public.max_sentences, public.requests_per_minute, public.allowed_models) == (250, 600, "known")
    assert read_settings([], environment | {"MTDEMO_MAX_SENTENCES": "7"}, for_visitors=True).max_sentences == 7
    assert read_settings([], environment).max_sentences == 10_000, "a command has no visitors"
    for loopback in ("127.0.0.1", "::1", "localhost"):
        settings = read_settings(["--host", loopback], environment, for_visitors=True)
        assert (settings.max_sentences, settings.requests_per_minute, settings.allowed_models) == (10_000, 0, "*")


def test_files_have_a_folder_that_no_other_app_shares(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    assert prepare_file_folder() == tmp_path
    monkeypatch.delenv("GRADIO_TEMP_DIR")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = prepare_file_folder()
    assert folder.parent == tmp_path and folder.stat().st_mode & 0o777 == 0o700
    assert prepare_file_folder() == folder


def test_an_empty_variable_counts_as_not_set() -> None:
    assert read_settings([], {"MTDEMO_PORT": ""}).port == 7860


@pytest.mark.parametrize(
    ("arguments", "environment", "words"),
    [
        (["--port", "high"], {}, "port must be a whole number, not 'high'"),
        (["--port", "70000"], {}, "at most 65535"),
        (["--port", "0"], {}, "at least 1"),
        (["--max-length", "2"], {}, "max_length must be at least 8"),
        ([], {"MTDEMO_HUB_MODELS": "maybe"}, "hub_models is switched on by 1"),
        ([], {"MTDEMO_MAX_MODELS": "0"}, "max_models must be at least 1"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(arguments: list[str], environment: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        read_settings(arguments, environment)


def test_help_shows_the_flags(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_settings(["--help"], {})
    shown = capsys.readouterr().out
    assert all(flag in shown for flag in ("--host", "--port", "--model", "--checkpoint", "--max-length"))


def test_calls_home_are_switched_off_and_choices_of_the_person_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIO_ANALYTICS_ENABLED", "True")
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    prepare_environment()
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"
    assert os.environ["OMP_WAIT_POLICY"] == "ACTIVE"


HEAPS = """
import ctypes, os, threading
from mtdemo.config import prepare_environment
{prepare}
libc, together = ctypes.CDLL(None), threading.Barrier(12)
def take():
    together.wait()
    libc.malloc(5_000)
    together.wait()
threads = [threading.Thread(target=take) for _ in range(12)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
libc.malloc_info(0, ctypes.c_void_p.in_dll(libc, "stdout"))
"""


@pytest.mark.skipif("glibc" not in platform.libc_ver(), reason="heaps are those of glibc")
@pytest.mark.parametrize(
    ("prepare", "environment", "n_heaps"),
    [
        ("prepare_environment()", {}, {2}),
        ("prepare_environment()", {"MALLOC_ARENA_MAX": "5"}, {5}),
        ("", {}, set(range(3, 20))),  # what would be without
    ],
)
def test_threads_share_two_heaps_unless_the_person_says_otherwise(
    prepare: str, environment: dict[str, str], n_heaps: set[int]
) -> None:
    code = HEAPS.format(prepare=prepare)
    others = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"} | environment
    done = subprocess.run([sys.executable, "-c", code], env=others, capture_output=True, text=True, check=True)  # noqa: S603
    assert done.stdout.count("<heap nr=") in n_heaps


GIVE_BACK = """
import re
from pathlib import Path
from mtdemo.config import give_memory_back
def resident() -> int:
    return int(re.findall(r"VmRSS:\\s+(\\d+)", Path("/proc/self/status").read_text())[0])
blocks = [bytearray(10_000) for _ in range(8_000)]
blocks = blocks[::50]  # holes between, and the end of the heap is in use
before = resident()
give_memory_back()
print(before - resident())
"""


@pytest.mark.skipif("glibc" not in platform.libc_ver(), reason="heaps are those of glibc")
def test_what_is_free_between_what_is_used_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", GIVE_BACK], capture_output=True, text=True, check=True)  # noqa: S603
    assert int(done.stdout) > 40_000, "of 80,000 kB"


@pytest.mark.parametrize("module", ["mtdemo", "mtdemo.serving.service", "mtdemo.config"])
def test_what_the_page_needs_first_does_not_import_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules or 'transformers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603
