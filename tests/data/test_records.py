import pytest

from mtdemo.data.records import LabelledSentence, TaggedSentence, check_labels
from mtdemo.errors import DataFileError


@pytest.mark.parametrize(
    ("tagged", "labelled", "words"),
    [
        (
            [TaggedSentence(("a",), ("B-CAR",), place="f, line 2")],
            [],
            "f, line 2: the tag 'B-CAR' of 'a' is none of the model's: O, PER",
        ),
        ([TaggedSentence(("a",), ("B-I-PER",))], [], "the tag 'B-I-PER' of 'a' is none of the model's: O, PER"),
        ([TaggedSentence(("a",), ("O",), ("per",))], [], "'per' in `annotated` is none of the model's: PER, ORG"),
        ([], [LabelledSentence("a", "fine")], "the class 'fine' is none of the model's: good, bad"),
    ],
)
def test_labels_that_a_model_does_not_have_are_refused(
    tagged: list[TaggedSentence], labelled: list[LabelledSentence], words: str
) -> None:
    check_labels(
        [TaggedSentence(("a",), ("I-ORG",), ("ORG",))], [LabelledSentence("a", "bad")], ("good", "bad"), ("PER", "ORG")
    )
    with pytest.raises(DataFileError) as caught:
        check_labels(tagged, labelled, ("good", "bad"), ("PER", "ORG"))
    assert str(caught.value).startswith(words)
