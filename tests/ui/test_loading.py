"""Loading beside what answers: what is told meanwhile, and that nobody else waits."""

from __future__ import annotations

import asyncio
import threading

from mtdemo.results import ModelInfo
from mtdemo.serving.model_source import Download
from mtdemo.ui.loading import describe_download, load_beside, watch_loading
from tests.asynchrony import run_async
from tests.ui.conftest import Broken, FakeService, Slow, all_of


def test_the_status_says_loading_and_then_who_answers() -> None:
    first, last = all_of(watch_loading(Slow()))
    assert first.startswith("**Loading the model.**")
    assert last.startswith("**Ready.** `embedded`: bert")
    assert "class head trained, entity head trained" in last


def test_a_page_opened_later_is_ready_at_once(fake: FakeService) -> None:
    assert all_of(watch_loading(fake)) == ["**Ready.** `fake`: bert, 2 layers, 1.0 million parameters; "
                                         "class head trained, entity head trained."]  # fmt: skip


def test_a_first_model_that_cannot_be_loaded_is_told_without_markup() -> None:
    *_, last = all_of(watch_loading(Broken()))
    assert last.startswith("> **The model could not be loaded.**"), "a quotation, in the colour of warnings"
    assert "<b>" not in last


def test_a_download_is_shown_in_megabytes_and_time_left() -> None:
    assert "can take minutes" in describe_download(None)
    assert "can take minutes" in describe_download(Download(0, 10**8, 0.0, 1.0))
    assert describe_download(Download(10**7, 10**8, 0.0, 2.0)) == "10 of 100 MB have come, about 18 s left."
    assert "about 3 min left" in describe_download(Download(10**7, 10**8, 0.0, 20.0))


def test_who_waits_holds_no_thread_that_others_need() -> None:
    """More visitors than gradio has threads wait for one model, on one thread."""
    arrived = threading.Event()

    class Silent(FakeService):
        def load(self, model: str | None = None) -> ModelInfo:
            assert arrived.wait(30)
            return super().load(model)

    async def visit() -> set[int]:
        threads = set()
        async for info, _ in load_beside(service, "owner/name"):
            threads.add(threading.get_ident())
            if info is None:
                waiting.append(1)
            if len(waiting) == 60:
                arrived.set()
        return threads

    async def all_at_once() -> list[set[int]]:
        return await asyncio.gather(*(visit() for _ in range(60)))

    service, waiting = Silent(), list[int]()
    visits = run_async(all_at_once())
    assert len(visits) == 60
    assert len(set().union(*visits)) == 1
