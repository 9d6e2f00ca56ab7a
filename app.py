"""Start the demo: read the settings, build the page, serve it, and load the model while the person reads."""

from __future__ import annotations

import sys
from threading import Thread

from mtdemo.config import prepare_environment, read_settings
from mtdemo.errors import MtdemoError, SettingsError


def main() -> None:
    """Serve until interrupted."""
    prepare_environment()
    settings = read_settings()

    from mtdemo.service import ModelService
    from mtdemo.ui.page import build_page
    from mtdemo.ui.theme import CSS, make_theme

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
            run_history=False,
            ssr_mode=False,
            share=False,
        )
    except OSError as error:
        raise SettingsError(f"Port {settings.port} of {settings.host} cannot be used: {error} Try --port.") from error
    Thread(target=_load, args=[service], daemon=True).start()
    page.block_thread()


def _load(service) -> None:  # type: ignore[no-untyped-def]
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
