import importlib

import pytest

import mtdemo


@pytest.mark.parametrize("name", mtdemo.__all__)
def test_every_export_is_what_it_says(name: str) -> None:
    value = getattr(mtdemo, name)
    assert value.__name__ == name
    assert getattr(importlib.import_module(value.__module__), name) is value
    assert name in dir(mtdemo)


def test_nothing_else_is_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Bert'"):
        _ = mtdemo.Bert
