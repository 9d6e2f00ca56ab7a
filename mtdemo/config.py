"""Settings, from `MTDEMO_…` environment variables and command-line flags. The only file that reads the environment."""

from __future__ import annotations

import argparse
import atexit
import math
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from mtdemo.errors import SettingsError

PACKAGE_DIRECTORY = Path(__file__).parent
EMBEDDED_CHECKPOINT = PACKAGE_DIRECTORY / "checkpoint"
EMBEDDED = "embedded"
MIN_LENGTH = 8  # word pieces, special ones included; with fewer a window holds next to nothing
MAX_UPLOAD_BYTES = 4_000_000  # of a file that a visitor brings
MAX_BODY_BYTES = 5_000_000  # of any request; a file comes in a form, whose fields take some, too
MAX_RUN_SECONDS = 900.0  # of a run of the laboratory
MAX_RUNS_AT_ONCE = 2
MAX_RUNS_WAITING = 8
MAX_RUNS_KEPT = 12  # of a visitor, to compare
MAX_VISITORS = 64  # whose runs are kept
MAX_TRAINED_MODELS = 4  # that answer in tabs, of all visitors together; each takes as much memory as the model
MAX_TRAINED_BYTES = 600_000_000  # of all runs' trained weights, to be used or packed later; frozen ones take none
KEPT_AFTER_LEAVING_S = 3_600.0  # how long the runs of a closed page wait for it to come back
MAX_LENGTH = 128  # word pieces read for embedding and class, special ones included, where nothing else is asked for
DEVICES = ("auto", "cpu", "cuda", "mps")
DTYPES = ("float32", "bfloat16", "float16", "int8")
LOOPBACK = ("localhost", "127.0.0.1", "::1")
PUBLIC = {  # defaults where strangers may ask: on Spaces, or at any address but loopback
    "max_sentences": "250",
    "max_sentence_characters": "10000",
    "max_total_characters": "50000",
    "max_cache_bytes": "64000000",
    "requests_per_minute": "600",
    "allowed_models": "known",
}
_N_HEAPS = 2  # for all threads together
_M_ARENA_MAX = -8  # of glibc's malloc.h
_OF_GRADIO = (("host", "GRADIO_SERVER_NAME"), ("port", "GRADIO_SERVER_PORT"))


@dataclass(frozen=True, slots=True)
class NumberRange:
    """Numbers that a setting may have.

    Attributes:
        phrase: the range in words, such as `at least 1`.
        kind: int, or float, of which int is a part.
        least: the smallest of them.
        most: the largest of them.
        excludes_most: whether the largest is left out.
    """

    phrase: str
    kind: type[int] | type[float]
    least: float
    most: float = math.inf
    excludes_most: bool = False

    def __contains__(self, value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, (self.kind, int)):
            return False
        return self.least <= value <= self.most and not (self.excludes_most and value == self.most)

    def read(self, text: str) -> int | float:
        """Read a number.

        Raises:
            ValueError: it is none, or out of range; the message goes on after the name of what is set.
        """
        try:
            value = self.kind(text)
        except ValueError as error:
            raise ValueError(f"must be a {'whole ' if self.kind is int else ''}number, not {text!r}") from error
        if value not in self:
            raise ValueError(f"must be {self.phrase}, not {text}")
        return value


def _setting(
    default: Any, about: str, flag: bool = False, minimum: int | None = None, choices: tuple[str, ...] = ()
) -> Any:
    return field(default=default, metadata={"about": about, "flag": flag, "minimum": minimum, "choices": choices})


@dataclass(frozen=True, slots=True)
class Settings:
    """All that an operator can set.

    Each field is read from `MTDEMO_<NAME>`; those marked as flags also from the command line.
    """

    host: str = _setting("127.0.0.1", "address to listen on; 0.0.0.0 for every interface", flag=True)
    port: int = _setting(7860, "port to listen on", flag=True, minimum=1)
    model: str = _setting(
        EMBEDDED, "model that answers first: 'embedded', any model id of the hub, or three put together", flag=True
    )
    checkpoint: str = _setting(str(EMBEDDED_CHECKPOINT), "directory of the checkpoint behind 'embedded'", flag=True)
    max_length: int = _setting(
        MAX_LENGTH, "word pieces read for embedding and class, special ones included", flag=True, minimum=MIN_LENGTH
    )
    max_sentences: int = _setting(10_000, "sentences in one request", minimum=1)
    max_sentence_characters: int = _setting(50_000, "characters in one sentence", minimum=1)
    max_total_characters: int = _setting(2_000_000, "characters in one request", minimum=1)
    max_models: int = _setting(2, "models kept in memory; the least recently used one leaves", minimum=1)
    max_model_bytes: int = _setting(
        4_000_000_000, "bytes for the weights of these models; visitors' trained copies come on top", minimum=1
    )
    max_disk_bytes: int = _setting(20_000_000_000, "bytes on disk of all models that visitors had downloaded", minimum=1)
    max_cache_bytes: int = _setting(256_000_000, "bytes of results kept, the least recently used leave", minimum=0)
    tokens_per_batch: int = _setting(2_048, "word pieces computed in one batch, padding counted", minimum=1)
    threads: int = _setting(0, "threads for long requests; 0 for one per core", minimum=0)
    threads_short: int = _setting(1, "threads for requests of at most 512 word pieces", minimum=1)
    device: str = _setting("auto", "where networks compute; auto: on a GPU where there is one", choices=DEVICES)
    dtype: str = _setting("float32", "precision of the networks that answer", choices=DTYPES)
    max_requests: int = _setting(
        200, "REST requests that wait or are answered at once; more are refused with 429", minimum=1
    )
    max_file_bytes: int = _setting(
        200_000_000, "bytes of files that visitors brought or are given; the oldest leave", minimum=1
    )
    requests_per_minute: int = _setting(
        0, "questions of one visitor in a minute, a file for ten; more are refused with 429; 0 for any number", minimum=0
    )
    proxies: int = _setting(0, "proxies in front of it, by whose X-Forwarded-For visitors are told apart", minimum=0)
    trusted_hosts: str = _setting(
        "auto", "host names by which it may be asked, with commas between; * for any; auto: any, but on loopback its own"
    )
    hub_models: bool = _setting(True, "whether visitors may load other models from the hub")
    allowed_models: str = _setting(
        "*", "ids of the hub that visitors may load, with commas between; known: those of the page's list; * for any"
    )
    hub_login: bool = _setting(False, "whether visitors may load what the login of this machine (HF_TOKEN) opens")
    mcp: bool = _setting(
        False, "1: assistants may ask, too, by the Model Context Protocol; pip install 'mtdemo[mcp]' first", flag=True
    )

    @property
    def checkpoint_name(self) -> str:
        """`embedded`, or the directory where another checkpoint was given."""
        return EMBEDDED if self.checkpoint == str(EMBEDDED_CHECKPOINT) else self.checkpoint

    def __post_init__(self) -> None:
        object.__setattr__(self, "checkpoint", os.path.expanduser(self.checkpoint))  # as written, but for ~
        for setting in fields(self):
            minimum, value = setting.metadata["minimum"], getattr(self, setting.name)
            if minimum is not None and value < minimum:
                raise SettingsError(f"{setting.name} must be at least {minimum}, not {value}.")
            choices = setting.metadata["choices"]
            if choices and value not in choices:
                raise SettingsError(f"{setting.name} is one of {', '.join(choices)}, not {value!r}.")
        if self.port > 65_535:
            raise SettingsError(f"port must be at most 65535, not {self.port}.")


def read_settings(
    arguments: Sequence[str] | None = None, environment: Mapping[str, str] | None = None, for_visitors: bool = False
) -> Settings:
    """Read settings: defaults, then the environment, then flags.

    Where a host says by gradio's own variables on what to listen, as Hugging Face Spaces do, these come before the
    defaults.

    Args:
        arguments: command-line arguments without the program's name; those of the process by default. `--help` prints
            the flags and exits.
        environment: those of the process by default.
        for_visitors: whether a page is served; where strangers may ask it, the defaults are those of `PUBLIC`.

    Raises:
        SettingsError: a value that is not of its kind or out of range.
    """
    environment = os.environ if environment is None else environment
    values = {"host": "0.0.0.0", "proxies": "1"} if environment.get("SYSTEM") == "spaces" else {}  # noqa: S104
    values |= {name: environment[variable] for name, variable in _OF_GRADIO if environment.get(variable)}
    values |= {
        setting.name: environment[_variable(setting.name)]
        for setting in fields(Settings)
        if environment.get(_variable(setting.name))
    }
    values |= {name: value for name, value in vars(_parser().parse_args(arguments)).items() if value is not None}
    if for_visitors and values.get("host", LOOPBACK[0]) not in LOOPBACK:
        values = PUBLIC | values
    return Settings(**{name: _convert(name, value) for name, value in values.items()})


def on_zero_gpu() -> bool:
    """Tell if this runs on ZeroGPU.

    It lends its GPU to single functions, though torch finds one everywhere.
    """
    return bool(os.environ.get("SPACES_ZERO_GPU"))


def count_cores() -> int:
    """Count the cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def prepare_environment() -> None:
    """Switch off calls home, let waiting threads sleep, bound heaps.

    It must run before gradio, torch, transformers and Ray load.

    GRADIO_ANALYTICS_CACHE_FREQUENCY: after each event gradio sums up the last 10,000 of its queue, with pandas, for a page
    of numbers that is switched off here.

    OMP_WAIT_POLICY: libgomp's threads spin at barriers by default, which costs whole time slices beside a busy
    neighbour. A variable that the person has set is left alone, except for the analytics.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", "1000000000")
    os.environ.setdefault("GRADIO_ANALYTICS_MAX_EVENTS", "1")
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    # oneDNN keeps the code of 1,024 products otherwise, 0.6 MB each, and torch as many again
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "256")
    os.environ.setdefault("LRU_CACHE_CAPACITY", "256")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
    _share_heaps()


def _share_heaps() -> None:
    """Let all threads share few heaps of the C library.

    glibc gives each thread a heap of its own, up to eight per core, and what is freed in one is of no use to others. It
    takes the number while there is one thread; `MALLOC_ARENA_MAX` is left alone, and so is every other C library.
    """
    if sys.platform != "linux" or "MALLOC_ARENA_MAX" in os.environ:
        return
    import ctypes

    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, _N_HEAPS)


def give_memory_back() -> None:
    """Give free memory of heaps back to the system.

    By itself glibc does so only at the end of a heap. It takes milliseconds; any other C library is left alone.
    """
    if sys.platform == "linux":
        import ctypes

        with suppress(OSError, AttributeError):
            ctypes.CDLL(None).malloc_trim(0)


def prepare_file_folder() -> Path:
    """Make a folder for the files of visitors.

    gradio's own is shared by all apps of a machine. It must run before gradio's components are made. A folder that the
    person names in `GRADIO_TEMP_DIR` is taken, and must be this app's alone.
    """
    if "GRADIO_TEMP_DIR" not in os.environ:
        os.environ["GRADIO_TEMP_DIR"] = tempfile.mkdtemp(prefix="mtdemo-")
        atexit.register(shutil.rmtree, os.environ["GRADIO_TEMP_DIR"], ignore_errors=True)
    return Path(os.environ["GRADIO_TEMP_DIR"])


def _variable(name: str) -> str:
    return f"MTDEMO_{name.upper()}"


def _convert(name: str, value: str) -> Any:
    kind: Any = type(next(setting.default for setting in fields(Settings) if setting.name == name))
    if kind is bool:
        if value.lower() in ("1", "true", "yes", "on"):
            return True
        if value.lower() in ("0", "false", "no", "off"):
            return False
        raise SettingsError(f"{name} is switched on by 1 and off by 0, not by {value!r}.")
    try:
        return kind(value)
    except ValueError as error:
        raise SettingsError(f"{name} must be a whole number, not {value!r}.") from error


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mtdemo serve",
        description="A web demo of a multi-task sentence encoder: embeddings, classes and entities from one pass.",
        epilog="Every setting can also be an environment variable, MTDEMO_PORT for instance; docs/cli.md lists all.",
    )
    for setting in fields(Settings):
        if setting.metadata["flag"]:
            parser.add_argument(
                f"--{setting.name.replace('_', '-')}",
                metavar=setting.name.upper(),
                help=f"{setting.metadata['about']} (default: {_shown(setting.default)})",
            )
    return parser


def _shown(default: Any) -> Any:
    return "the one in the package" if default == str(EMBEDDED_CHECKPOINT) else default
