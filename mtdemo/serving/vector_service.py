"""Questions about the vectors of many sentences, answered beside the service that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from mtdemo.analysis.vectors.background import Background, measure_background
from mtdemo.data.marked_text import read_sample
from mtdemo.results import Analysis, SentenceAnalysis
from mtdemo.serving.service import ModelService

MIN_OWN = 100  # different sentences from which on a person's own make the scale
_MAX_OWN = 1_000
_SAMPLE, _OWN = "everyday sentences of this project", "of your sentences"


class VectorService:
    """Answers about vectors; what depends on the model alone is computed once.

    Args:
        service: reads sentences, within its limits and from its cache.

    Every method may be called from any thread.
    """

    def __init__(self, service: ModelService) -> None:
        self.service = service
        self._backgrounds: WeakKeyDictionary[Any, Background] = WeakKeyDictionary()  # they leave with their models

    def background(self, model: str | None = None) -> Background:
        """Return the scale of a model's cosines, measured at the first call.

        It is of the sentences that this project keeps aside from training.

        Args:
            model: as in `ModelService.analyze`, whose errors may be raised.
        """
        network = self.service.get_model(model).model
        known = self._backgrounds.get(network)
        if known is None:
            answers = self.service.analyze_stream([sentence.text for sentence in read_sample().test], model)
            readable = [answer.embedding for answer in answers if isinstance(answer, SentenceAnalysis)]
            known = measure_background(np.stack(readable), _SAMPLE)
            self._backgrounds[network] = known
        return known

    def background_of(self, analysis: Analysis, model: str | None = None) -> Background:
        """Return the scale for sentences: their own where they are many.

        Args:
            analysis: the sentences, by that model.
            model: as in `background`.
        """
        first = first_of_each([sentence.text for sentence in analysis])
        if len(first) < MIN_OWN:
            return self.background(model)
        spread = first[:: -(-len(first) // _MAX_OWN)]  # over the whole file, whose parts may differ
        return measure_background(np.stack([analysis.sentences[place].embedding for place in spread]), _OWN)


def first_of_each(texts: Sequence[str]) -> list[int]:
    """Return the first place of each different text, in order."""
    places: dict[str, int] = {}
    for place, text in enumerate(texts):
        places.setdefault(text, place)
    return list(places.values())
