from collections.abc import Callable
from pathlib import Path

import pytest

from mtdemo.errors import PlanError
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.loaded import relabel

Write = Callable[..., Path]


def test_the_types_that_a_model_has_already_leave_its_head_as_it_is(tiny: Write) -> None:
    loaded = load_directory(tiny(trained_heads=["ner_head"], entity_labels=["O", "B-PER", "I-PER"], type_change_cost=2.0))
    same = relabel(loaded, entity_types=["PER"])
    assert same.info.trained_heads == ("ner_head",)
    assert same.scheme.labels == tuple(same.model.config.entity_labels) == ("O", "B-PER", "I-PER")
    other = relabel(loaded, entity_types=["PER", "LOC"])
    assert other.info.trained_heads == ()
    assert [model.scheme.type_change_cost for model in (loaded, same, other)] == [2.0, 2.0, 0.0]
    assert other.model.config.type_change_cost == 0.0
    assert other.model.config.entity_labels == ["O", "PER", "LOC"]


@pytest.mark.parametrize("name", ["O", "B-PER", "I-PER", "E-MAIL", "S-PER", "L-PER", "U-BAHN"])
def test_a_type_that_files_would_say_otherwise_is_refused(tiny: Write, name: str) -> None:
    with pytest.raises(PlanError, match=rf"named without O, B- and I- .* as PER, not '{name}'\."):
        relabel(load_directory(tiny()), entity_types=[name])
