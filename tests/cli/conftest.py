import json
import random
from collections.abc import Callable
from pathlib import Path

import pytest

Write = Callable[..., Path]


@pytest.fixture
def few(tmp_path: Path) -> list[str]:
    """Arguments for a training of two steps on four sentences of each task."""
    (tmp_path / "ner").write_text('{"tokens": ["john", "sat"], "tags": ["B-PER", "O"]}\n' * 4)
    (tmp_path / "classes").write_text('{"text": "the cat", "label": "neutral"}\n' * 4)
    files = ["--ner", str(tmp_path / "ner"), "--classification", str(tmp_path / "classes")]
    return [*files, "--output", str(tmp_path / "out"), "--steps", "2"]


@pytest.fixture
def various(tmp_path: Path, few: list[str]) -> list[str]:
    """The same arguments with 40 sentences of each task, no two alike, of which a step takes 16."""
    draw = random.Random(1)
    tags = {"john": "B-PER", "paris": "B-LOC"}
    texts = ["the", "cat", "sat", "on", "mat", "john", "paris"]
    rows = [draw.sample(texts, 3 + number % 4) for number in range(80)]
    ner = ({"tokens": row, "tags": [tags.get(word, "O") for word in row]} for row in rows[:40])
    classes = ({"text": " ".join(row), "label": draw.choice(("negative", "positive"))} for row in rows[40:])
    for name, data in (("ner", ner), ("classes", classes)):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in data))
    return [*few, "--sentences", "16", "--interval", "1"]
