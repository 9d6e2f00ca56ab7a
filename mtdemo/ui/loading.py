"""Waiting for a model to load, without keeping anybody else waiting.

What waits here holds no thread: gradio has 40 of them for all visitors, and a hub may be silent for a minute.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from concurrent.futures import Future
from threading import Thread

from mtdemo.errors import MtdemoError
from mtdemo.results import ModelInfo
from mtdemo.serving.model_source import Download
from mtdemo.serving.service import ModelService
from mtdemo.ui.components.messages import as_plain_markdown, describe_model

LOADING = "**Loading the model.** Read on, and ask already: your question is answered as soon as it is there."
_LOOK_S = 1.0  # between two looks at a download


async def load_beside(service: ModelService, model: str) -> AsyncIterator[tuple[ModelInfo | None, str]]:
    """Load a model beside those that answer, and tell.

    Args:
        service: loads it.
        model: its name.

    Yields:
        A status line as Markdown every second, with the description of the model beside the last one.

    Raises:
        MtdemoError: it cannot be loaded.
    """
    began = time.monotonic()
    loading = asyncio.wrap_future(_start(service, model))
    loading.add_done_callback(
        lambda done: done.cancelled() or done.exception()
    )  # looked at, though who waits may have gone
    while not loading.done():
        yield None, _describe_loading(model, time.monotonic() - began, service.downloading(model))
        await asyncio.wait([loading], timeout=_LOOK_S)
    info = loading.result()
    yield info, as_ready(info)


async def watch_loading(service: ModelService) -> AsyncIterator[str]:
    """Yield the status line while the first model is loading."""
    info = service.loaded()
    if info is not None:
        yield as_ready(info)
        return
    yield LOADING
    try:
        async for found, line in load_beside(service, service.settings.model):
            if found is not None:
                yield line
    except MtdemoError as error:
        yield as_failure(f"**The model could not be loaded.** {as_plain_markdown(str(error))}")


def as_ready(info: ModelInfo) -> str:
    """Write the status line of a model that answers."""
    return f"**Ready.** {describe_model(info)}"


def as_failure(text: str) -> str:
    """Quote a failure, which has the colour of warnings."""
    return f"> {text}"


def describe_download(download: Download | None) -> str:
    """Describe a download in megabytes and time left."""
    if download is None or not download.n_done:
        return "A model of the hub is downloaded first, which can take minutes; a hub that is silent for 20 s is given up."
    left = download.seconds_left or 0.0
    time_left = f"{left:.0f} s" if left < 90 else f"{left / 60:.0f} min"
    return f"{download.n_done / 1e6:,.0f} of {download.n_bytes / 1e6:,.0f} MB have come, about {time_left} left."


def _start(service: ModelService, model: str) -> Future[ModelInfo]:
    """Load a model in a thread of its own."""
    result: Future[ModelInfo] = Future()

    def load() -> None:
        try:
            info = service.load(model)
        except BaseException as error:  # noqa: BLE001 - handed to whoever waits
            if not result.cancelled():  # who waited may have gone
                result.set_exception(error)
        else:
            if not result.cancelled():
                result.set_result(info)

    Thread(target=load, daemon=True, name="loading").start()
    return result


def _describe_loading(model: str, seconds: float, download: Download | None) -> str:
    waited = f" {seconds:.0f} s so far." if seconds >= 1 else ""
    name = model.replace("`", "'")
    return f"**Loading `{name}`.**{waited} {describe_download(download)}"
