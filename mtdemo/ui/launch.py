"""The start of the app: read the settings, build the page, serve it, and load the model while the person reads."""

from __future__ import annotations

import signal
import sys
from collections.abc import Sequence
from threading import Event, Thread
from typing import TYPE_CHECKING

from mtdemo.config import MAX_UPLOAD_BYTES, Settings, prepare_environment, read_settings
from mtdemo.errors import MtdemoError, SettingsError

if TYPE_CHECKING:
    import gradio as gr

    from mtdemo.serving.service import ModelService

MAX_QUEUE = 200  # questions that wait; more are refused
MAX_SESSIONS = 500  # of which gradio keeps the state, 0.28 MB each; a call of its API without a session makes one
GRACE_S = 10.0  # to answer what was begun when the process is told to end


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until interrupted.

    Args:
        arguments: command-line arguments without the program's name; those of the process by default.

    Returns:
        The exit status: 2 where a setting cannot be used, which is said on standard error.
    """
    prepare_environment()
    try:
        _serve(read_settings(arguments))
    except SettingsError as error:
        print(f"mtdemo: {error}", file=sys.stderr)
        return 2
    return 0


def _serve(settings: Settings) -> None:
    page, service = start(settings)
    print(f"mtdemo is at {page.local_url} (Ctrl-C stops it). The model is loading in the background.", flush=True)
    Thread(target=_load, args=[service], daemon=True).start()
    _wait_for_the_end(page)


def start(settings: Settings) -> tuple[gr.Blocks, ModelService]:
    """Serve page and REST interface, without loading a model.

    Args:
        settings: where to listen, and the limits.

    Returns:
        The page, whose `close` ends it, and the service behind it.

    Raises:
        SettingsError: the port cannot be used.
    """
    from starlette.middleware import Middleware

    from mtdemo.planning.planner import Planner
    from mtdemo.rest.application import PATHS, build_rest
    from mtdemo.rest.gate import Gate, trusted_hosts
    from mtdemo.serving.service import ModelService
    from mtdemo.ui.page import build_page
    from mtdemo.ui.theme import CSS, make_theme

    _satisfy_zero_gpu()
    service, planner = ModelService(settings), Planner(settings.checkpoint)
    page = build_page(service, planner)
    gate = Middleware(Gate, build_rest(service, planner), PATHS, trusted_hosts(settings))
    try:
        page.queue(max_size=MAX_QUEUE).launch(
            server_name=settings.host,
            server_port=settings.port,
            theme=make_theme(),
            css=CSS,
            footer_links=["api", "settings"],
            prevent_thread_lock=True,
            enable_monitoring=False,
            max_file_size=MAX_UPLOAD_BYTES,
            state_session_capacity=MAX_SESSIONS,
            app_kwargs={"middleware": [gate]},  # in front, since gradio takes every path
            run_history=False,
            ssr_mode=False,
            share=False,
            quiet=True,
        )
    except OSError as error:
        raise SettingsError(f"Port {settings.port} of {settings.host} cannot be used: {error} Try --port.") from error
    return page, service


def _wait_for_the_end(page: gr.Blocks) -> None:
    """Serve until Ctrl-C or SIGTERM, then answer what was begun."""
    end = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: end.set())
    end.wait()
    print("mtdemo ends; what was begun is answered.", flush=True)
    page.app.stop_event.set()  # the page's open connections
    page.server.should_exit = True
    page.server.thread.join(GRACE_S)
    page.close(verbose=False)


def _satisfy_zero_gpu() -> None:
    """Declare a GPU function, without which ZeroGPU stops an app.

    It is never called: one pass of the embedded model takes less time on the CPU than a GPU takes to be allotted.
    """
    try:
        import spaces
    except ImportError:
        return
    spaces.GPU(_on_gpu)


def _on_gpu() -> None:
    """Do nothing; see `_satisfy_zero_gpu`."""


def _load(service: ModelService) -> None:
    """Load the first model and measure its scale.

    The page shows a failure, too.
    """
    from mtdemo.serving.vector_service import VectorService

    try:
        VectorService(service).background()  # loads it; what fails is tried again by the next question
    except MtdemoError as error:
        print(f"mtdemo: {error}", file=sys.stderr)
