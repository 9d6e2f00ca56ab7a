import pytest

from mtdemo.errors import UnknownNameError
from mtdemo.models.catalog import KNOWN_MODELS, find_model
from mtdemo.planning.planner import Planner
from mtdemo.results import ModelInfo
from mtdemo.serving.service import ModelService


def test_the_embedded_model_is_planned_as_it_is(service: ModelService, planner: Planner) -> None:
    info: ModelInfo = service.load()
    assert sum(part.n_parameters for part in planner.parts("embedded")) == info.n_parameters


@pytest.mark.parametrize("known", KNOWN_MODELS[1:], ids=lambda known: known.id)
def test_untrained_models_say_what_to_expect_before_they_are_loaded(known: object) -> None:
    text = known.expectation  # type: ignore[attr-defined]
    assert "untrained" in text
    assert "0.46 to 0.47" in text
    assert "0.82" in text


def test_an_unknown_model_lists_the_known_ones() -> None:
    with pytest.raises(UnknownNameError, match="embedded, bert-base-uncased, bert-large-uncased"):
        find_model("gpt-2")
