"""Laws of the records that travel: each can be pickled, copied and compared, and its dictionary is JSON."""

from __future__ import annotations

import copy
import dataclasses
import importlib
import json
import pickle
import pkgutil
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import mtdemo
from mtdemo.analysis.similarity import Similarity
from mtdemo.errors import MtdemoError
from mtdemo.results import Analysis, Entity, FrozenDict, ModelInfo, Pair, SentenceAnalysis

NOT_FOR_READING = ("mtdemo.ui", "mtdemo.cli", "mtdemo.__main__")  # components and commands never leave their process


class StaysError(Exception):
    """A record with something that cannot travel, such as a network or a function."""


def records() -> Iterator[type]:
    """Every public frozen dataclass of the package."""
    for module_info in pkgutil.walk_packages(mtdemo.__path__, "mtdemo."):
        if not module_info.name.startswith(NOT_FOR_READING):
            module = importlib.import_module(module_info.name)
            for kind in vars(module).values():
                is_own = isinstance(kind, type) and kind.__module__ == module.__name__ and kind.__name__[0] != "_"
                if is_own and dataclasses.is_dataclass(kind) and kind.__dataclass_params__.frozen:
                    yield kind


# Its embedding has one dimension, which its type does not tell; arrays of others have one row and one column.
ANALYSIS = SentenceAnalysis("x", 8, 8, 8, np.ones(2, dtype=np.float32), {"x": 0.5}, ())
SIMPLE: dict[Any, Any] = {
    SentenceAnalysis: ANALYSIS,
    str: "x",
    int: 8,
    float: 0.5,
    bool: True,
    Path: Path("x"),
    slice: slice(1, 2),
    type(None): None,
}


def example(hint: Any) -> Any:
    """A value of a type; not the default, where there is one."""
    if typing.get_origin(hint) is not None:
        return example_of_generic(typing.get_origin(hint), typing.get_args(hint))
    if hint in SIMPLE:
        return SIMPLE[hint]
    if isinstance(hint, type) and issubclass(hint, Enum):
        return next(iter(hint))
    if isinstance(hint, type) and dataclasses.is_dataclass(hint):
        return make(hint)
    raise StaysError(hint)


def example_of_generic(origin: Any, arguments: tuple[Any, ...]) -> Any:
    makers: dict[Any, Callable[[], Any]] = {
        np.ndarray: lambda: np.full((1, 1), 0.5, dtype=np.float32),
        Literal: lambda: arguments[0],
        typing.Union: lambda: example(arguments[0]),
        types.UnionType: lambda: example(arguments[0]),
        tuple: lambda: tuple(example(argument) for argument in arguments if argument is not Ellipsis),
        FrozenDict: lambda: FrozenDict({"x": example(arguments[-1])}),
        dict: lambda: {example(arguments[0]): example(arguments[1])},
        Mapping: lambda: {example(arguments[0]): example(arguments[1])},
    }
    if origin not in makers:
        raise StaysError(origin)
    return makers[origin]()


def make(kind: type) -> Any:
    """A record with an example in each field; with defaults, where only some values are allowed together."""
    try:
        hints = typing.get_type_hints(kind)
    except NameError as error:  # a type that is imported for type checkers alone: torch's, or a model
        raise StaysError(error) from error
    values = {field.name: example(hints[field.name]) for field in dataclasses.fields(kind)}
    try:
        return kind(**values)
    except (MtdemoError, ValueError):
        needed = (f.name for f in dataclasses.fields(kind) if f.default is f.default_factory is dataclasses.MISSING)
        return kind(**{name: values[name] for name in needed})


def pickled(record: Any) -> Any:
    return pickle.loads(pickle.dumps(record))  # noqa: S301


def travels(kind: type) -> bool:
    try:
        make(kind)
    except StaysError:
        return False
    return True


TRAVELLERS = [kind for kind in records() if travels(kind)]


def test_results_plans_scores_and_runs_travel() -> None:
    names = {kind.__name__ for kind in TRAVELLERS}
    assert names >= {
        "Analysis", "Entity", "ModelInfo", "Outcome", "Pair", "PlanReport", "PlanRequest", "SentenceAnalysis", "Settings",
        "Similarity", "Snapshot", "TrainingPlan", "Validation", "WindowOutput", "EncodedSentence", "KnownModel",
    }  # fmt: skip
    assert "LoadedModel" not in names


@pytest.mark.parametrize("kind", TRAVELLERS, ids=lambda kind: kind.__name__)
def test_a_record_is_equal_to_its_copies(kind: type) -> None:
    record = make(kind)
    assert record == make(kind)
    assert pickled(record) == record
    assert copy.deepcopy(record) == copy.copy(record) == record
    assert record != object()
    assert dataclasses.asdict(record).keys() == {field.name for field in dataclasses.fields(kind)}


@pytest.mark.parametrize(
    "kind", [kind for kind in TRAVELLERS if callable(getattr(kind, "as_dict", None))], ids=lambda kind: kind.__name__
)
def test_a_dictionary_of_a_record_is_json(kind: type) -> None:
    content = make(kind).as_dict()
    assert json.loads(json.dumps(content)) == content


# Analyses with everything that may stand in them.
texts = st.text(min_size=1, max_size=20)
numbers = st.floats(-1, 1, width=32)
infos = st.builds(
    ModelInfo, texts, texts, *[st.integers(1, 99)] * 4, *[st.lists(texts, max_size=3).map(tuple)] * 3
)  # fmt: skip
analyses = st.builds(
    SentenceAnalysis,
    texts,
    st.integers(2, 99),
    st.integers(0, 99),
    st.integers(0, 99),
    st.lists(numbers, min_size=1, max_size=4).map(lambda values: np.array(values, dtype=np.float32)),
    st.dictionaries(texts, numbers, min_size=1, max_size=4),
    st.lists(st.builds(Entity, texts, texts, numbers, st.integers(0, 9), st.integers(9, 20)), max_size=3).map(tuple),
)


@given(infos, st.lists(analyses, max_size=3))
def test_analyses_travel_whatever_stands_in_them(info: ModelInfo, sentences: list[SentenceAnalysis]) -> None:
    analysis = Analysis(info, tuple(sentences))
    copies = (pickled(analysis), copy.deepcopy(analysis))
    for other in copies:
        assert other == analysis
        assert json.dumps(other.as_dict()) == json.dumps(analysis.as_dict())
        for one in other:
            assert not one.embedding.flags.writeable
            assert isinstance(one.probabilities, FrozenDict)
    assert json.loads(json.dumps(analysis.as_dict())) == analysis.as_dict()


@given(analyses, st.data())
def test_analyses_that_differ_anywhere_are_not_equal(analysis: SentenceAnalysis, data: st.DataObject) -> None:
    other = data.draw(analyses)
    name = data.draw(st.sampled_from([field.name for field in dataclasses.fields(SentenceAnalysis)]))
    changed = dataclasses.replace(analysis, **{name: getattr(other, name)})
    one, two = getattr(analysis, name), getattr(other, name)
    same = np.array_equal(one, two) if isinstance(one, np.ndarray) else one == two
    assert (changed == analysis) is bool(same)


def test_whoever_made_an_array_may_still_write_to_it() -> None:
    vector = np.zeros(3, dtype=np.float32)
    analysis = SentenceAnalysis("a", 3, 0, 0, vector, {"no": 1.0}, ())
    vector[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        analysis.embedding[0] = 2


def test_a_similarity_travels_with_its_matrix() -> None:
    analysis = SentenceAnalysis("a", 3, 0, 0, np.ones(3, dtype=np.float32), {"no": 1.0}, ())
    info = ModelInfo("m", "bert", 1, 1, 1, 8, ("no",), ("PER",), ())
    one, none = np.ones(1, dtype=np.float32), np.array([-1])
    result = Similarity(Analysis(info, (analysis,)), one[:, None], (Pair(0, 0, 1.0),), (), none, one)
    assert pickled(result) == result
    assert dataclasses.replace(result, matrix=np.zeros((1, 1), dtype=np.float32)) != result


def test_a_frozen_dictionary_is_what_it_was_made_from() -> None:
    content = {"no": 0.25, "yes": 0.75}
    frozen = FrozenDict(content)
    content["no"] = 1.0
    assert frozen == {"no": 0.25, "yes": 0.75}
    assert list(frozen.items()) == [("no", 0.25), ("yes", 0.75)]
    assert hash(frozen) == hash(FrozenDict({"yes": 0.75, "no": 0.25}))
    assert repr(frozen) == "FrozenDict({'no': 0.25, 'yes': 0.75})"
    with pytest.raises(TypeError):
        frozen["no"] = 1  # type: ignore[index]
