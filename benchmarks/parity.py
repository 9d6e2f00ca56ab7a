"""Compare models of other libraries, as they are loaded here, with those libraries themselves.

    python -m benchmarks.parity
    python -m benchmarks.parity --repositories DIRECTORY

Repositories of every kind are made on the fly, with tiny random weights; those of a directory of directories come after
them. A line names the kind, what was adopted, the largest difference over five sentences, and a verdict. The command fails
where one is `different`. Spans are compared with `aggregation_strategy="average"` and only counted: this project's rule
reads possessives, hyphens and B- and I- of a word together otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import numpy as np
import torch
from transformers import AutoModel, AutoModelForSequenceClassification, AutoModelForTokenClassification, pipeline
from transformers.utils import logging

from mtdemo.errors import CheckpointError
from mtdemo.inference.forward import run_windows
from mtdemo.inference.pipeline import analyze_batches
from mtdemo.models.adoption.architectures import order_of
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.loaded import LoadedModel
from tests.repositories import CLASSIFIERS, EMBEDDERS, SENTENCES, make_classifier, make_embedder, make_encoder

MAX_BYTES = 2_000_000_000  # as a page would be bound
TOLERANCE = {"embedding": 1e-5, "classes": 1e-6, "tags": 1e-6}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table."""

    kind: str
    adopted: str
    difference: float | None
    verdict: str

    def __str__(self) -> str:
        difference = "" if self.difference is None else f"{self.difference:.1e}"
        return f"{self.kind:<50} {self.adopted:<28} {difference:>8}  {self.verdict}"


def compare(directory: Path, kind: str) -> Iterator[Row]:
    """Compare one repository."""
    try:
        loaded = load_directory(directory, MAX_BYTES, kind)
    except CheckpointError as error:
        yield Row(kind, "nothing", None, f"refused: {error}")
        return
    if _model_type(directory) == "multi-task-encoder":
        yield Row(kind, "everything", None, "one of this project")
        return
    windows = [sentence.windows[0] for sentence in loaded.encode(SENTENCES, loaded.info.max_length)]
    outputs = run_windows(loaded, windows, 1)
    adopted = ", ".join(["embedding", *loaded.info.trained_heads]) + (" (head left out)" if loaded.info.note else "")
    expected = _embeddings(directory, loaded)
    yield _row(kind, adopted, "embedding", [output.embedding for output in outputs], expected)
    if loaded.info.classifies:
        logits = _logits(AutoModelForSequenceClassification, directory, loaded)
        theirs = [row[0].sigmoid() if loaded.info.multi_label else row[0].softmax(-1) for row in logits]
        yield _row(kind, "classes", "classes", [output.class_probabilities for output in outputs], theirs)
    if loaded.info.finds_entities:
        order = order_of(_labels(directory))
        logits = _logits(AutoModelForTokenClassification, directory, loaded)
        theirs = [row[0].softmax(-1)[window.content][:, order] for row, window in zip(logits, windows, strict=True)]
        yield _row(kind, "tags", "tags", [output.entity_probabilities for output in outputs], theirs)
        yield _spans(kind, directory, loaded)


def _model_type(directory: Path) -> str:
    """Read the type of a model off its config.json; empty where that stands in a folder of its own."""
    file = directory / "config.json"
    return str(json.loads(file.read_text(encoding="utf-8"))["model_type"]) if file.is_file() else ""


def _row(kind: str, adopted: str, what: str, ours: list, theirs: list) -> Row:  # type: ignore[type-arg]
    pairs = zip(ours, theirs, strict=True)
    difference = max(float(np.abs(np.asarray(one) - np.asarray(other)).max(initial=0.0)) for one, other in pairs)
    return Row(kind, adopted, difference, "equal" if difference <= TOLERANCE[what] else "different")


def _spans(kind: str, directory: Path, loaded: LoadedModel) -> Row:
    """Count the sentences with the spans of transformers' own pipeline."""
    asked: Any = pipeline("token-classification", model=str(directory), device="cpu", aggregation_strategy="average")
    n_alike = 0
    for sentence in analyze_batches(loaded, SENTENCES, loaded.info.max_length):
        theirs = [(each["start"], each["end"], each["entity_group"]) for each in asked(sentence.text)]
        n_alike += theirs == list(sentence.entity_spans)
    return Row(kind, "spans", None, f"counted: as by `average` in {n_alike} of {len(SENTENCES)}")


def _labels(directory: Path) -> list[str]:
    from transformers import AutoConfig

    return [label for _, label in sorted(AutoConfig.from_pretrained(directory).id2label.items())]


def _inputs(loaded: LoadedModel, text: str) -> dict[str, torch.Tensor]:
    return loaded.tokenizer(text, return_tensors="pt", truncation=True, max_length=loaded.info.max_length)  # type: ignore[return-value]


def _embeddings(directory: Path, loaded: LoadedModel) -> list:  # type: ignore[type-arg]
    """Embeddings by sentence-transformers; means by transformers where a repository is none of theirs."""
    if (directory / "modules.json").exists():
        from sentence_transformers import SentenceTransformer

        return list(SentenceTransformer(str(directory), device="cpu").encode(list(SENTENCES)))
    model = AutoModel.from_pretrained(directory, dtype=torch.float32).eval()
    rows = []
    for text in SENTENCES:
        inputs = _inputs(loaded, text)
        if loaded.model.config.global_attention_on_first:
            inputs["global_attention_mask"] = torch.eye(inputs["input_ids"].shape[1], dtype=torch.long)[:1]
        with torch.inference_mode():
            rows.append(model(**inputs).last_hidden_state[0].mean(dim=0).numpy())
    return rows


def _logits(kind: type, directory: Path, loaded: LoadedModel) -> list[torch.Tensor]:
    model = kind.from_pretrained(directory, dtype=torch.float32).eval()  # type: ignore[attr-defined]
    with torch.inference_mode():
        return [model(**_inputs(loaded, text)).logits for text in SENTENCES]


def make_all(root: Path) -> Iterator[tuple[str, Path]]:
    """Make a repository of every kind."""
    yield "plain encoder", make_encoder(root / "plain")
    for kind, arguments in EMBEDDERS.items():
        yield f"sentence-transformers: {kind}", make_embedder(root / "embedders" / kind, **arguments)
    for name in CLASSIFIERS:
        classes, tags = (f"{name}For{task}Classification" for task in ("Sequence", "Token"))
        yield classes, make_classifier(root / classes, name, "ForSequenceClassification", ["no", "yes", "maybe"])
        yield tags, make_classifier(root / tags, name, "ForTokenClassification", ["B-PER", "I-PER", "O"])
    bert = root / "bert"
    several = {"problem_type": "multi_label_classification"}
    yield "several classes", make_classifier(bert / "several", "Bert", "ForSequenceClassification", ["a", "b"], **several)
    yield "one output", make_classifier(bert / "one", "Bert", "ForSequenceClassification", ["LABEL_0"])
    pairs = ["entailment", "neutral", "contradiction"]
    yield "sentence pairs", make_classifier(bert / "pairs", "Bert", "ForSequenceClassification", pairs)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repositories", type=Path, help="directory of repositories, owner/name")
    given: Path | None = parser.parse_args().repositories
    warnings.simplefilter("ignore")
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    counts: dict[str, int] = {}
    with TemporaryDirectory() as scratch:
        for kind, directory in chain(make_all(Path(scratch)), _all_in(given) if given else ()):
            for row in _rows(directory, kind):
                print(row, flush=True)
                word = row.verdict.partition(":")[0]
                counts[word] = counts.get(word, 0) + 1
    print(", ".join(f"{number} {word}" for word, number in sorted(counts.items())))
    return int("different" in counts)


def _all_in(root: Path) -> Iterator[tuple[str, Path]]:
    for directory in sorted({path.parent for path in root.glob("*/*/*") if path.is_file()}):
        yield str(directory.relative_to(root)), directory


def _rows(directory: Path, kind: str) -> Iterator[Row]:
    try:
        yield from compare(directory, kind)
    except Exception as error:  # noqa: BLE001 - of the other library, which may not load it
        yield Row(kind, "", None, f"not compared: {type(error).__name__}: {str(error).splitlines()[0][:80]}")


if __name__ == "__main__":
    sys.exit(main())
