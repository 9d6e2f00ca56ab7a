"""The command `serve --ray`: the REST interface in replicas on a Ray cluster, without the page."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from threading import Event

from mtdemo.cli.options import add_cluster, positive
from mtdemo.config import prepare_environment, read_settings
from mtdemo.errors import MtdemoError


def main(arguments: Sequence[str]) -> int:
    """Serve until interrupted.

    Args:
        arguments: those after `serve`; what is no option of replicas is a setting of `serve`.

    Returns:
        The exit status: 2 where it cannot be done, which is said on standard error; 130 after Ctrl+C before it was up.
    """
    prepare_environment()
    options, others = _parser().parse_known_args(arguments)
    try:
        _serve(options, others)
    except MtdemoError as error:
        print(f"mtdemo serve: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _serve(options: argparse.Namespace, others: Sequence[str]) -> None:
    from mtdemo.cluster.connection import joined
    from mtdemo.cluster.replicas import Scale, serving

    settings = read_settings(others, for_visitors=True)
    most = max(options.replicas, options.max_replicas or options.replicas)
    end = Event()
    with joined(options.ray), serving(settings, Scale(options.replicas, most, options.requests_per_replica)) as place:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: end.set())
        print(f"The REST interface is at {place}/docs (Ctrl-C stops it).", flush=True)
        end.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="mtdemo serve",
        description="The REST interface in replicas on a Ray cluster, without the page.",
        epilog="The settings of `mtdemo serve` hold for each replica.",
        allow_abbrev=False,
    )
    add_cluster(parser)
    parser.add_argument("--replicas", type=positive, default=1, help="that are always there (default: 1)")
    parser.add_argument("--max-replicas", type=positive, help="under load (default: as many as --replicas)")
    parser.add_argument(
        "--requests-per-replica", type=positive, default=32, help="that one takes; others wait in front (default: 32)"
    )
    return parser
