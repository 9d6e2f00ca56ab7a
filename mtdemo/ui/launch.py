"""The start of the app: read the settings, build the page, serve it, and load the model while the person reads."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from threading import Thread
from typing import TYPE_CHECKING

from mtdemo.config import MAX_UPLOAD_BYTES, Settings, prepare_environment, read_settings
from mtdemo.errors import MtdemoError, SettingsError

if TYPE_CHECKING:
    from mtdemo.serving.service import ModelService

MAX_QUEUE = 200  # questions that wait; more are refused


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
    from mtdemo.planning.planner import Planner
    from mtdemo.serving.service import ModelService
    from mtdemo.ui.page import build_page
    from mtdemo.ui.theme import CSS, make_theme

    _satisfy_zero_gpu()
    service = ModelService(settings)
    page = build_page(service, Planner(settings.checkpoint))
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
            run_history=False,
            ssr_mode=False,
            share=False,
            quiet=True,
        )
    except OSError as error:
        raise SettingsError(f"Port {settings.port} of {settings.host} cannot be used: {error} Try --port.") from error
    print(f"mtdemo is at {page.local_url} (Ctrl-C stops it). The model is loading in the background.", flush=True)
    Thread(target=_load, args=[service], daemon=True).start()
    page.block_thread()


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
    """Load the first model; the page shows a failure, too."""
    try:
        service.load()  # which the next question tries again
    except MtdemoError as error:
        print(f"mtdemo: {error}", file=sys.stderr)
