"""The program `mtdemo`: `serve` starts the page, every other command, and `serve --ray`, is the command line's."""

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Start the page, or run a command.

    Both doors are here, so that `mtdemo.cli` and `mtdemo.ui` need not know each other.
    """
    given = sys.argv[1:] if arguments is None else arguments
    if given[:1] == ["serve"] and any(argument.partition("=")[0] == "--ray" for argument in given):
        from mtdemo.cli.replicas import main as serve_replicas

        return serve_replicas(given[1:])
    if given[:1] == ["serve"]:
        from mtdemo.ui.launch import main as serve

        return serve(given[1:])
    from mtdemo.cli.main import main as run

    return run(given)


if __name__ == "__main__":
    sys.exit(main())
