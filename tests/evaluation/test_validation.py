import pytest

from mtdemo.data.records import LabelledSentence, RatedPair, TaggedSentence
from mtdemo.evaluation.metrics import Validation
from mtdemo.evaluation.validation import ValidationSets
from mtdemo.inference.pipeline import analyze_batches
from mtdemo.models.loaded import LoadedModel
from mtdemo.serving.service import ModelService

TEXTS = ["John lives in Paris.", "I love this!", "x", "The United Nations met in Geneva on Monday, said Kofi Annan."]


def test_the_plain_way_gives_what_the_service_gives(embedded: LoadedModel, service: ModelService) -> None:
    plain = analyze_batches(embedded, TEXTS * 3, 128, max_tokens=40)
    for a, b in zip(plain, service.analyze(TEXTS * 3), strict=True):
        assert a.embedding == pytest.approx(b.embedding, abs=1e-5)
        assert dict(a.probabilities) == pytest.approx(dict(b.probabilities), abs=1e-5)
        assert [(e.text, e.label, e.start) for e in a.entities] == [(e.text, e.label, e.start) for e in b.entities]


def test_each_task_is_measured_and_the_criterion_is_their_mean(embedded: LoadedModel) -> None:
    tagged = [TaggedSentence(("John", "lives", "in", "Paris"), ("PER", "O", "O", "LOC"))]
    labelled = [LabelledSentence("I love this!", "positive"), LabelledSentence("I hate this!", "negative")]
    pairs = [RatedPair(5, "a dog", "a puppy"), RatedPair(0, "a dog", "the stock market")]
    scores = ValidationSets(tagged, labelled, pairs)(embedded)
    assert scores == Validation(1.0, pytest.approx(1.0), pytest.approx(1.0))
    assert scores.selection_metric == pytest.approx(1.0)
    assert scores.phrase == "entity F1 1.000, class F1 1.000, similarity 1.000"
    missed = [*labelled, LabelledSentence("I love this!", "neutral")]
    scores = ValidationSets(tagged, missed, pairs)(embedded)
    assert scores.macro_f1 == pytest.approx((2 / 3 + 1 + 0) / 3)
    assert scores.selection_metric == pytest.approx((1 + 5 / 9 + 1) / 3)


def test_every_source_counts_alike(embedded: LoadedModel) -> None:
    """A source is scored over the classes that it has: one that lacks neutral can have all of its score."""
    right, wrong = ("I love this!", "positive"), ("I hate this!", "positive")
    labelled = [LabelledSentence(*right, "large")] * 9 + [LabelledSentence(*wrong, "small")]
    tagged = [TaggedSentence(("John", "lives", "in", "Paris"), ("PER", "O", "O", "LOC"), source="large")] * 9
    missed = TaggedSentence(("John", "lives"), ("LOC", "O"), source="small")
    scores = ValidationSets([*tagged, missed], labelled)(embedded)
    assert (scores.entity_f1, scores.macro_f1) == (pytest.approx(0.5), pytest.approx(0.5))
    by_source = {"large": pytest.approx(1.0), "small": 0.0}
    assert scores.as_dict()["by_source"] == {"entities": by_source, "classes": by_source}
    assert scores.phrase == ("entity F1 0.500 (small 0.000 to large 1.000), class F1 0.500 (small 0.000 to large 1.000)")


def test_what_is_not_measured_does_not_count(embedded: LoadedModel) -> None:
    scores = ValidationSets(pairs=[RatedPair(5, "a dog", "a puppy"), RatedPair(0, "a dog", "tax law")])(embedded)
    assert (scores.entity_f1, scores.macro_f1, scores.selection_metric) == (None, None, pytest.approx(1.0))


def test_equal_sets_have_equal_fingerprints_wherever_they_stand() -> None:
    def fingerprint(tag: str, label: str, place: str) -> str:
        tagged, labelled = TaggedSentence(("a",), (tag,), place=place), LabelledSentence("a", label, place=place)
        return ValidationSets([tagged], [labelled], [RatedPair(1.0, "a", "b")]).fingerprint

    one = fingerprint("PER", "positive", "/here/ner, line 1")
    assert fingerprint("PER", "positive", "/there/ner.jsonl, line 7") == one
    assert fingerprint("LOC", "positive", "") != one != fingerprint("PER", "negative", "")
