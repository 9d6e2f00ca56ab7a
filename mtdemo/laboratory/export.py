"""A run of the laboratory as one ZIP: its numbers, its plan, and the trained model as a checkpoint directory."""

from __future__ import annotations

import csv
import io
import json
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtdemo.laboratory.run_store import Run
    from mtdemo.models.loaded import LoadedModel

CHECKPOINT = "checkpoint"
_README = """\
run.json         what the run did: losses and scores by step, what moved, which answers changed
history.csv      the same scores and losses as a table
runs.csv         all runs of the visit, to compare
plan.json        what trained, and how fast; `python -m mtdemo train --plan plan.json` takes it
checkpoint/      the trained model (float16): `MultiTaskModel.from_pretrained("checkpoint")` loads it, and
                 `python app.py --checkpoint checkpoint` shows it
"""


def pack_run(run: Run, runs: Sequence[Run], trained: LoadedModel) -> bytes:
    """Pack a run.

    Args:
        run: the one to pack.
        runs: all runs of the visitor.
        trained: the model at its end.

    Returns:
        A ZIP file.
    """
    from mtdemo.models.checkpoints import save_checkpoint

    plan = run.plan.as_dict()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive, tempfile.TemporaryDirectory() as directory:
        save_checkpoint(trained, Path(directory))
        contents: dict[str, str | bytes] = {
            "README.txt": _README,
            "run.json": json.dumps({"title": run.title, **run.report, "plan": plan}, indent=1),
            "plan.json": json.dumps(plan, indent=2),
            "history.csv": _as_csv(run.report["history"]),
            "runs.csv": _as_csv([_summary(each) for each in runs]),
            **{f"{CHECKPOINT}/{path.name}": path.read_bytes() for path in sorted(Path(directory).iterdir())},
        }
        for name, content in contents.items():
            member = zipfile.ZipInfo(name)  # without a date, so that the same run gives the same file
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, content)
    return buffer.getvalue()


def _summary(run: Run) -> dict[str, Any]:
    last = run.report["history"][-1]
    return {
        "run": run.number,
        "title": run.title,
        "n_trainable": run.n_trainable,
        "memory_bytes": run.n_bytes,
        "n_steps": run.report["n_steps"],
        "ending": run.report["ending"],
        "training_seconds": run.report["training_seconds"],
        **{key: last[key] for key in ("seconds", "entity_f1", "macro_f1", "output_f1")},
        **run.report["settings"],
        "embedding_cosine": run.report["embedding_cosine"],
        "share_of_changed_answers": run.report["share_of_changed_answers"],
    }


def _as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write rows as CSV, a column for each nested entry."""
    flat = [_flatten(row) for row in rows]
    columns = dict.fromkeys(name for row in flat for name in row)
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def _flatten(row: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in row.items():
        flat |= {f"{name}_{key}": inner for key, inner in value.items()} if isinstance(value, Mapping) else {name: value}
    return flat
