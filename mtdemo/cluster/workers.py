"""Workers on a Ray cluster that annotate parts of files, by Ray Data."""

from __future__ import annotations

import logging
import pickle
from collections.abc import Iterator, Sequence
from typing import Any

from mtdemo.cluster.parts import PartRunner, PartTask, annotate_part
from mtdemo.config import Settings, prepare_environment
from mtdemo.errors import MtdemoError
from mtdemo.serving.service import ModelService

_MAX_BLOCKS = 10_000  # that Ray keeps account of; with more parts than that a block has several


def run_on(ray: Any, n_workers: int | None = None) -> PartRunner:
    """Make what computes parts on a cluster.

    Each worker is an actor with a model of its own. Where one dies, Ray starts another and gives it the part.

    Args:
        ray: as `joined` yields it.
        n_workers: at most; by default as many as the cluster has cores for.
    """

    def run(settings: Settings, tasks: Sequence[PartTask]) -> Iterator[object]:
        from ray.data import ActorPoolStrategy, DataContext

        DataContext.get_current().enable_progress_bars = False
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        most = n_workers or int(ray.cluster_resources()["CPU"]) // settings.threads
        rows = ray.data.from_items(list(map(pickle.dumps, tasks)), override_num_blocks=min(len(tasks), _MAX_BLOCKS))
        done = rows.map(
            PartWorker,
            fn_constructor_args=(settings,),
            compute=ActorPoolStrategy(min_size=1, max_size=max(1, min(most, len(tasks)))),
            num_cpus=settings.threads,
        )
        for row in done.iter_rows():
            if row["error"]:
                raise MtdemoError(row["error"])
            yield row

    return run


class PartWorker:
    """Computes parts with a service of its own.

    Args:
        settings: of the service.
    """

    def __init__(self, settings: Settings) -> None:
        prepare_environment()
        self._service = ModelService(settings)

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        try:
            annotate_part(self._service, pickle.loads(row["item"]))  # noqa: S301 - written by `run`
        except MtdemoError as error:  # told to whoever waits, and not tried again
            return {"error": str(error)}
        return {"error": ""}
