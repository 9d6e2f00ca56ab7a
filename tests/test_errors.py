"""The tree of errors in the docstring is the tree of the code."""

from mtdemo import errors
from mtdemo.errors import MtdemoError


def draw(kind: type[Exception], depth: int = 0) -> list[tuple[int, str]]:
    below = [
        row for child in kind.__subclasses__() if child.__module__ == errors.__name__ for row in draw(child, depth + 1)
    ]
    return [(depth, kind.__name__), *below]


def test_the_tree_that_is_drawn_is_that_of_the_code() -> None:
    assert errors.__doc__ is not None
    rows = [line for line in errors.__doc__.splitlines() if "Error" in line and line.startswith("    ")]
    drawn = []
    for row in rows:
        branch = row[4 : row.index(next(c for c in row if c.isalpha()))]
        drawn.append((len(branch) // 4, row.strip("│├└─ ").split()[0]))
    assert drawn == draw(MtdemoError)
