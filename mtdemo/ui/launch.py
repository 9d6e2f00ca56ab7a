"""The start of the app: read the settings, build the page, serve it, and load the model while the person reads."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from functools import partial
from threading import Event, Thread, Timer
from typing import TYPE_CHECKING

from mtdemo.config import MAX_UPLOAD_BYTES, Settings, prepare_environment, prepare_file_folder, read_settings
from mtdemo.errors import MtdemoError, SettingsError
from mtdemo.files import make_room

if TYPE_CHECKING:
    import gradio as gr

    from mtdemo.serving.service import ModelService

MAX_QUEUE = 200  # questions that wait; more are refused
MAX_EVENTS = 200  # at once, those included that wait for a download and hold no thread; gradio's own bound is 40
MAX_SESSIONS = 500  # of which gradio keeps the state; a call of its API without a session makes one
GRACE_S = 10.0  # to answer what was begun when the process is told to end
KEEP_ALIVE_S = 75  # of a connection without requests; a proxy that closes it earlier, as most do, never loses one
_END_S = 2.0  # after that, to close what is open


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the page until interrupted.

    Args:
        arguments: command-line arguments without the program's name; those of the process by default.

    Returns:
        The exit status: 2 where a setting cannot be used, which is said on standard error.
    """
    prepare_environment()
    try:
        _serve(read_settings(arguments, for_visitors=True))
    except SettingsError as error:
        gc.enable()
        print(f"mtdemo: {error}", file=sys.stderr)
        return 2
    return 0


def _serve(settings: Settings) -> None:
    end = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: end.set())
    gc.disable()  # imports stay, and looking through them again and again takes a part of the start
    page, service = start(settings)
    print(f"mtdemo is at {page.local_url} (Ctrl-C stops it). The model is loading in the background.", flush=True)
    if settings.mcp:
        print(f"Assistants ask at {page.local_url}gradio_api/mcp/.", flush=True)
    Thread(target=_load, args=[service], daemon=True).start()
    end.wait()
    _answer_what_was_begun(page)


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
    from mtdemo.rest.gate import Gate
    from mtdemo.serving.service import ModelService
    from mtdemo.ui.bounded_http import bound_heads
    from mtdemo.ui.page import build_page
    from mtdemo.ui.served_blocks import OpenEvents
    from mtdemo.ui.theme import CSS, make_theme
    from mtdemo.ui.tools import offer_tools

    _satisfy_zero_gpu()
    bound_heads()
    folder = prepare_file_folder()
    service, planner = ModelService(settings), Planner(settings.checkpoint)
    page = build_page(service, planner)
    tools = offer_tools(page) if settings.mcp else {}
    make_room_for = partial(make_room, folder, max_bytes=settings.max_file_bytes)
    gate = Middleware(Gate, build_rest(service, planner), PATHS, settings, make_room_for)
    try:
        page.queue(max_size=MAX_QUEUE).launch(
            server_name=settings.host,
            server_port=settings.port,
            theme=make_theme(),
            css=CSS,
            footer_links=["api", "settings"],
            prevent_thread_lock=True,
            enable_monitoring=False,
            max_threads=MAX_EVENTS,
            max_file_size=MAX_UPLOAD_BYTES,
            state_session_capacity=MAX_SESSIONS,
            app_kwargs={"middleware": [gate], **tools},  # the gate in front, since gradio takes every path
            run_history=False,
            ssr_mode=False,
            mcp_server=False,
            share=False,
            quiet=True,
            _frontend=False,  # no question to itself whether it is up, which a busy machine answers too late
        )
    except OSError as error:
        raise SettingsError(f"Port {settings.port} of {settings.host} cannot be used: {error} Try --port.") from error
    waiting = page._queue
    waiting.pending_event_ids_session = OpenEvents(waiting.pending_messages_per_session, MAX_SESSIONS)
    page.server.config.timeout_keep_alive = KEEP_ALIVE_S
    return page, service


def _answer_what_was_begun(page: gr.Blocks) -> None:
    """End the server after it has answered.

    A thread that loads a model or trains would keep the process until it has finished, so what is left is cut off.
    """
    print("mtdemo ends; what was begun is answered.", flush=True)
    cut_off = Timer(GRACE_S + _END_S, _cut_off)
    cut_off.daemon = True
    cut_off.start()
    page.app.stop_event.set()  # the page's open connections
    if page.mcp_server_obj:
        page.mcp_server_obj.close()
    page.server.config.timeout_graceful_shutdown = GRACE_S
    page.server.should_exit = True
    page.server.thread.join()
    page.close(verbose=False)


def _cut_off() -> None:
    """End the process, whatever its threads are at."""
    print(f"mtdemo: what was not finished after {GRACE_S:.0f} seconds is cut off.", file=sys.stderr, flush=True)
    os._exit(1)


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
    from mtdemo.runtime import import_libraries
    from mtdemo.serving.vector_service import VectorService

    try:
        import_libraries()
    finally:
        gc.freeze()  # from now on only what came later is looked through
        gc.enable()
    try:
        VectorService(service).background()  # loads it; what fails is tried again by the next question
    except MtdemoError as error:
        print(f"mtdemo: {error}", file=sys.stderr)
