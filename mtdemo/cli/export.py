"""The command `export`: a part of a model for the library that its makers use."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mtdemo.cli.options import add_checkpoint, load_checkpoint, make_writable
from mtdemo.errors import UsageError
from mtdemo.models.parts import LEARNED_TASKS
from mtdemo.results import ANSWER_PARTS

if TYPE_CHECKING:
    from mtdemo.models.loaded import LoadedModel
    from mtdemo.results import ModelInfo

_HEADS = {task.title: str(task.head) for task in LEARNED_TASKS}
_PIPELINES = {"classes": "text-classification", "entities": "token-classification"}


def add_export(commands: Any) -> None:
    """Add the command that writes a part for another library."""
    parser = commands.add_parser("export", help="write a part of a model as transformers or sentence-transformers load it")
    parser.add_argument("--to", choices=["transformers"], default="transformers")
    parser.add_argument(
        "--part",
        choices=ANSWER_PARTS,
        help="classes and entities for a pipeline of transformers, embedding for sentence-transformers (default: the only "
        "trained head)",
    )
    parser.add_argument("--output", type=Path, required=True, help="directory to write to")
    add_checkpoint(parser)
    parser.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> int:
    from mtdemo.models.adoption.export import export_head
    from mtdemo.models.embedding.export import export_embedding

    model = load_checkpoint(options.checkpoint)
    part = options.part or _only_part(model.info)
    make_writable(options.output)
    if part in _HEADS:
        kind = export_head(model, _HEADS[part], options.output)
        print(f'{kind}, for pipeline("{_PIPELINES[part]}", model="{options.output}").', file=sys.stderr)
    else:
        export_embedding(model, options.output)
        print(f'An embedding, for SentenceTransformer("{options.output}").', file=sys.stderr)
    for sentence in _left_behind(model, part):
        print(f"Note: {sentence}", file=sys.stderr)
    return 0


def _only_part(info: ModelInfo) -> str:
    """Choose the only trained head, or the embedding without one."""
    trained = [part for part, head in _HEADS.items() if head in info.trained_heads]
    if len(trained) > 1:
        raise UsageError(
            f"{info.id} has several trained heads, and a class of transformers has one: --part {' or '.join(trained)}."
        )
    return trained[0] if trained else "embedding"


def _left_behind(model: LoadedModel, part: str) -> list[str]:
    """Say what did not go along."""
    info, cost = model.info, model.scheme.type_change_cost
    others = [name for name in ANSWER_PARTS if name != part and (name not in _HEADS or _HEADS[name] in info.trained_heads)]
    told = [f"Left behind: {' and '.join(others)}; --part writes them into a directory of their own."] if others else []
    if part in _HEADS and _HEADS[part] not in info.trained_heads:
        told.append(f"The head of the {part} is untrained: what it says is noise.")
    if part == "entities":
        told.append(
            'Its spans are those of aggregation_strategy="average", but for this project\'s own rules of words; a pipeline '
            f"reads {info.max_length:,} word pieces, and longer texts here are read whole through overlapping windows."
        )
    if part == "entities" and cost:
        told.append(f"Here a change of type inside a name costs {cost:g}; a pipeline takes each word's most probable type.")
    return told
