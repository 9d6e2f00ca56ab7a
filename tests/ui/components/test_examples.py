"""Examples teach what is so: those that are said to be answered wrongly are."""

from mtdemo.serving.service import ModelService
from mtdemo.ui.components.examples import EXAMPLES, MISTAKES


def test_every_example_says_what_it_teaches() -> None:
    assert len({example.title for example in EXAMPLES}) == len(EXAMPLES)
    assert all(example.teaches and len(example.sentences) > 1 for example in EXAMPLES)


def test_each_mistake_is_one_of_the_embedded_model(service: ModelService) -> None:
    for mistake, answer in zip(MISTAKES, service.analyze([m.sentence for m in MISTAKES]), strict=True):
        if mistake.label:
            assert answer.label != mistake.label, mistake.sentence
        if mistake.entities:
            assert tuple(entity.text for entity in answer.entities) != mistake.entities, mistake.sentence
    man, dog = service.analyze([m.sentence for m in MISTAKES[-2:]])
    assert man.cosine_to(dog) > 0.85


def test_lessons_are_true_of_the_embedded_model(service: ModelService) -> None:
    by_title = {example.title: service.analyze(example.sentences).sentences for example in EXAMPLES}
    bank, rates, river, _ = by_title["Two kinds of bank"]
    assert bank.cosine_to(rates) > bank.cosine_to(river)
    lowered, negated, same, _ = by_title["A negation"]
    assert lowered.cosine_to(negated) > lowered.cosine_to(same) > 0.6
    names = [[(e.text, e.label) for e in answer.entities] for answer in by_title["Names"]]
    assert names[0] == [("Washington", "PER"), ("Washington", "LOC")]
    assert (names[1], names[2], names[4]) == ([("Amazon", "ORG")], [("Amazon", "LOC")], [])
    assert [answer.label for answer in by_title["Reviews"]] == ["positive", "negative", "neutral", "positive"]
    reset, login, change, parcel = by_title["Support questions"]
    assert reset.cosine_to(login) > max(reset.cosine_to(change), reset.cosine_to(parcel))
    assert change.cosine_to(parcel) > max(change.cosine_to(reset), change.cosine_to(login))
