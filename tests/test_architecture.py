"""The architecture, as a table: which folder may import which, and what only some rooms may know."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "mtdemo"

# Modules beside the folders, which every folder may import; they import one another only as said here.
GROUND: dict[str, set[str]] = {
    "errors": set(),
    "results": set(),
    "runtime": set(),
    "config": {"errors"},
    "files": {"errors"},
}

# The folders that each folder may import besides the ground. A new arrow is a decision, taken here.
ARROWS: dict[str, set[str]] = {
    "text": set(),
    "data": {"text"},
    "models": {"text"},
    "inference": {"models", "text"},
    "planning": {"models"},
    "analysis": {"inference", "models", "text"},
    "training": {"planning", "inference", "models", "text", "data"},
    "serving": {"analysis", "data", "inference", "models", "text"},
    "evaluation": {"serving", "inference", "models", "text", "data"},
    "laboratory": {"training", "evaluation", "serving", "planning", "inference", "models", "data"},
    "cluster": {"planning", "rest", "serving"},
    "cli": {"cluster", "training", "evaluation", "serving", "planning", "analysis", "inference", "models", "data"},
    "rest": {"serving", "planning", "analysis", "models", "text"},
    "ui": {"analysis", "data", "evaluation", "laboratory", "rest", "serving", "planning", "models", "text"},
}

# The two doors of the package: the lazy exports; and the program, which starts the page or the command line, so that
# these two need not know each other.
DOORS = {"__init__": set(ARROWS) - {"cli", "cluster", "rest", "ui"}, "__main__": {"cli", "ui"}}

# Libraries that only some rooms may import, wherever in the file.
ONLY_IN = {
    "gradio": {"ui"},
    "plotly": {"ui"},
    "fastapi": {"rest"},
    "prometheus_client": {"rest"},
    "pydantic": {"rest"},
    "torch": {"models", "inference", "planning", "training", "evaluation", "laboratory", "runtime"},
    "transformers": {"inference", "models", "planning", "text", "runtime"},
    "peft": {"planning"},
    "argparse": {"config", "cli"},
    "sklearn": {"analysis"},
    "scipy": {"analysis"},
    "openTSNE": {"analysis"},
    "umap": {"analysis"},
    "tqdm": {"cli"},
    "datasets": {"data"},
    "openpyxl": {"data"},
    "ray": {"cluster"},
    "sentencex": {"text"},
}

FILES = sorted(PACKAGE.rglob("*.py"))


def room(path: Path) -> str:
    """The folder of a file, or the name of a module that stands beside the folders."""
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def imports(path: Path) -> set[str]:
    """The names of all modules that a file imports, at its top or inside a function."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative imports hide the arrows"
            module = str(node.module)
            names |= {f"{module}.{alias.name}" for alias in node.names} if module.startswith("mtdemo") else {module}
    return names


def modules(path: Path) -> set[str]:
    """The files of the package that a file imports."""
    found = set()
    for name in imports(path):
        parts = name.split(".")
        while parts[0] == "mtdemo" and len(parts) > 1:
            file = PACKAGE.joinpath(*parts[1:]).with_suffix(".py")
            if file.is_file():
                found.add(str(file.relative_to(PACKAGE)))
                break
            parts.pop()
    return found


def rooms_imported(path: Path) -> set[str]:
    return {room(PACKAGE / module) for module in modules(path)} - {room(path)}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_arrows_are_those_of_the_table(path: Path) -> None:
    allowed = {**GROUND, **{name: {*targets, *GROUND} for name, targets in (ARROWS | DOORS).items()}}[room(path)]
    assert rooms_imported(path) <= allowed


def test_the_table_is_of_the_rooms_that_exist() -> None:
    assert {*GROUND, *ARROWS, *DOORS} == {room(path) for path in FILES}


@pytest.mark.parametrize("name", ARROWS)
def test_no_arrow_of_the_table_is_idle(name: str) -> None:
    used = set().union(*(rooms_imported(path) for path in FILES if room(path) == name))
    assert ARROWS[name] <= used


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_libraries_stay_in_their_rooms(path: Path) -> None:
    outside = {name.split(".")[0] for name in imports(path)}
    assert not {library for library in outside if library in ONLY_IN and room(path) not in ONLY_IN[library]}


def test_only_config_reads_the_environment() -> None:
    assert {room(path) for path in FILES if "os.environ" in path.read_text(encoding="utf-8")} == {"config"}


def reachable(arrows: dict[str, set[str]]) -> dict[str, set[str]]:
    closure = {name: set(targets) - {name} for name, targets in arrows.items()}
    for _ in closure:
        closure = {name: targets.union(*(closure.get(t, set()) for t in targets)) for name, targets in closure.items()}
    return closure


def test_no_arrow_between_folders_leads_back() -> None:
    assert not {name for name, targets in reachable(ARROWS).items() if name in targets}


def test_no_arrow_between_files_leads_back() -> None:
    arrows = {str(path.relative_to(PACKAGE)): modules(path) for path in FILES if path.name != "__init__.py"}
    assert not {name for name, targets in reachable(arrows).items() if name in targets}


# Sizes above which a thing is split. Measured over well-kept code bases, it is the tail that tells the good from the bad.
MAX_MODULES, MAX_MODULE_LINES, MAX_CLASS_LINES, MAX_FUNCTION_LINES = 12, 350, 180, 60


@pytest.mark.parametrize("folder", sorted({path.parent for path in FILES}), ids=lambda path: path.name)
def test_folders_are_of_a_size_that_can_be_seen_at_once(folder: Path) -> None:
    assert len([path for path in folder.glob("*.py") if path.name != "__init__.py"]) <= MAX_MODULES


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_classes_and_functions_are_of_a_readable_length(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.count("\n") <= MAX_MODULE_LINES
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ClassDef):
            assert node.end_lineno - node.lineno < MAX_CLASS_LINES, node.name
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert node.end_lineno - node.lineno < MAX_FUNCTION_LINES, node.name


MAX_OPENING_WORDS = 10
RIDDLES = {"What", "Who", "Whether", "Of", "How", "Which", "By", "Where", "When"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_docstrings_open_with_a_short_line_that_a_stranger_understands(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and (text := ast.get_docstring(node)):
            words = text.splitlines()[0].split()
            assert len(words) <= MAX_OPENING_WORDS, f"{path.name}:{node.lineno} {' '.join(words)}"
            assert words[0] not in RIDDLES, f"{path.name}:{node.lineno} {' '.join(words)}"
            assert words[-1].endswith((".", "`", ":")), f"{path.name}:{node.lineno} {' '.join(words)}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_callback_hides_its_arguments(path: Path) -> None:
    starred = [
        node.name
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and node.args.vararg and node.args.vararg.arg in {"values", "args"}
    ]
    assert not [name for name in starred if name != "from_values"]
