"""The architecture, as a table: which room may import which, and what only some rooms may know."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "mtdemo"

# What each module may import of the package. A new arrow is a decision, taken here.
ARROWS = {
    "__init__": set(),
    "errors": set(),
    "parts": set(),
    "results": set(),
    "batching": set(),
    "caching": set(),
    "config": {"errors"},
    "import_lock": set(),
    "writing": {"errors"},
    "libraries": {"import_lock", "inference", "loading"},
    "catalog": {"config", "errors"},
    "data": {"errors"},
    "geometry": {"results"},
    "model": {"parts"},
    "encoding": set(),
    "decoding": {"encoding", "results"},
    "freezing": {"errors", "parts", "model"},
    "optim": {"errors", "freezing", "parts", "model"},
    "loading": {"decoding", "encoding", "errors", "import_lock", "model", "parts", "results", "writing"},
    "inference": {"batching", "decoding", "encoding", "loading", "results"},
    "models": {"caching", "config", "errors", "import_lock", "libraries", "loading"},
    "analyzer": {"batching", "caching", "config", "encoding", "inference", "loading", "models", "results"},
    "planning": {
        "catalog", "config", "costs", "errors", "extending", "freezing", "import_lock", "libraries", "loading", "model",
        "optim", "parts", "plans", "snippets",
    },
    "service": {
        "analyzer", "config", "errors", "freezing", "geometry", "loading", "models", "parts", "planning", "plans",
        "results",
    },
    "losses": set(),
    "examples": {"data", "decoding", "encoding", "loading"},
    "sampling": {"encoding"},
    "hub_data": {"data", "errors"},
    "sample_file": {"data", "errors"},
    "emoji": {"errors", "loading"},
    "plans": {"errors", "freezing", "optim", "parts"},
    "costs": {"freezing", "parts"},
    "extending": {"errors", "freezing", "import_lock", "loading", "model", "parts", "plans"},
    "snippets": {"config", "freezing", "optim", "parts", "plans"},
    "temperature": {"data", "inference", "loading", "metrics", "results", "validation"},
    "validation": {"data", "inference", "loading", "metrics", "results"},
    "objective": {"examples", "losses", "sampling"},
    "training": {
        "batching", "data", "encoding", "errors", "examples", "extending", "freezing", "inference", "loading", "losses",
        "model", "objective", "optim", "plans", "sampling", "teachers", "writing",
    },
    "teachers": {"encoding", "errors", "inference", "loading"},
    "lessons": {"data", "errors", "sample_file"},
    "laboratory": {
        "config", "costs", "errors", "experiment", "extending", "lessons", "libraries", "loading", "plans", "sampling",
        "service",
    },
    "packing": {"laboratory", "loading"},
    "experiment": {
        "config", "errors", "inference", "lessons", "loading", "objective", "parts", "plans", "results", "training",
        "validation",
    },
    "annotation": {"errors", "results", "service", "writing"},
    "metrics": {"data", "decoding", "errors", "results"},
    "evaluation": {"data", "errors", "metrics", "results", "service"},
    "card": {"data", "errors", "evaluation", "metrics", "results", "service", "writing"},
    "__main__": {
        "annotation", "card", "config", "data", "emoji", "errors", "evaluation", "extending", "freezing", "hub_data",
        "loading", "model", "optim", "parts", "plans", "sampling", "service", "temperature", "training",
        "validation",
    },
    "ui": {
        "catalog", "config", "costs", "encoding", "errors", "experiment", "freezing", "laboratory", "lessons", "optim",
        "packing", "parts", "planning", "plans", "results", "service", "ui",
    },
}  # fmt: skip

# Libraries that only some rooms may import, wherever in the file.
ONLY_IN = {
    "gradio": {"ui"},
    "plotly": {"ui"},
    "torch": {
        "model",
        "objective",
        "emoji",
        "extending",
        "freezing",
        "optim",
        "loading",
        "inference",
        "losses",
        "teachers",
        "training",
        "experiment",
        "validation",
    },
    "peft": {"extending"},
    "transformers": {"emoji", "model", "loading", "encoding", "planning", "libraries"},
    "argparse": {"config", "__main__"},
    "tqdm": {"__main__"},
    "datasets": {"hub_data"},
}


def room(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return "ui" if parts[0] == "ui" else parts[0]


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative imports hide the arrows"
            names |= {f"mtdemo.{alias.name}" for alias in node.names} if node.module == "mtdemo" else {str(node.module)}
    return names


FILES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("name", ARROWS)
def test_the_table_has_the_arrows_that_there_are(name: str) -> None:
    of_room = (imports(path) for path in FILES if room(path) == name)
    assert {found.split(".")[1] for names in of_room for found in names if found.startswith("mtdemo.")} == ARROWS[name]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_libraries_stay_in_their_rooms(path: Path) -> None:
    outside = {name.split(".")[0] for name in imports(path)}
    assert not {library for library in outside if library in ONLY_IN and room(path) not in ONLY_IN[library]}


def test_the_table_has_no_rooms_that_do_not_exist() -> None:
    assert set(ARROWS) == {room(path) for path in FILES}


def test_only_config_reads_the_environment() -> None:
    assert {room(path) for path in FILES if "os.environ" in path.read_text(encoding="utf-8")} == {"config"}


def test_no_arrow_leads_back() -> None:
    reachable = {name: set(targets) - {name} for name, targets in ARROWS.items()}
    for _ in ARROWS:
        reachable = {name: targets.union(*(reachable[t] for t in targets)) for name, targets in reachable.items()}
    assert not {name for name, targets in reachable.items() if name in targets}
