"""Start the demo: read the settings, build the page, serve it, and load the model while the person reads."""

from __future__ import annotations

import sys
from threading import Thread
from typing import TYPE_CHECKING

from mtdemo.config import prepare_environment, read_settings
from mtdemo.errors import MtdemoError, SettingsError

if TYPE_CHECKING:
    from mtdemo.serving.service import ModelService


def main() -> None:
    """Serve until interrupted."""
    prepare_environment()
    settings = read_settings()

    from mtdemo.laboratory.dataset import MAX_BYTES
    from mtdemo.serving.service import ModelService
    from mtdemo.ui.page import build_page
    from mtdemo.ui.theme import CSS, make_theme

    _satisfy_zero_gpu()
    service = ModelService(settings)
    page = build_page(service)
    try:
        page.queue(max_size=200).launch(
            server_name=settings.host,
            server_port=settings.port,
            theme=make_theme(),
            css=CSS,
            footer_links=["api", "settings"],
            prevent_thread_lock=True,
            enable_monitoring=False,
            max_file_size=MAX_BYTES,
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
    """Declare a GPU function where the app runs on ZeroGPU, which stops an app that has none.

    It is never called: one pass of the embedded model takes less time on the CPU than a GPU takes to be allotted.
    """
    try:
        import spaces
    except ImportError:
        return
    spaces.GPU(_on_gpu)


def _on_gpu() -> None:
    """What ZeroGPU finds; see `_satisfy_zero_gpu`."""


def _load(service: ModelService) -> None:
    """Load the first model; if that fails, the page says why and asks anew with every question."""
    try:
        service.load()
    except MtdemoError as error:
        print(f"mtdemo: {error}", file=sys.stderr)


if __name__ == "__main__":
    try:
        main()
    except SettingsError as error:
        print(f"mtdemo: {error}", file=sys.stderr)
        sys.exit(2)
