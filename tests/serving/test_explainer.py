"""Why and what if, on real models: equal to the plain computation, one by one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mtdemo.analysis.explanation.occlusion import occlude
from mtdemo.config import Settings
from mtdemo.errors import EmptyInputError, InputError, TooMuchInputError
from mtdemo.models.loaded import LoadedModel
from mtdemo.serving.explainer import MAX_WORDS, Explainer
from mtdemo.serving.service import ModelService
from tests.analysis.explanation.readers import PlainReader

Write = Callable[..., Path]
SENTENCE = "John Smith's sister moved to New York, but Siemens did not."
ATOL = 1e-5


@pytest.fixture
def small(tiny: Write) -> ModelService:
    return ModelService(Settings(checkpoint=str(tiny()), max_length=32))


def without_mask(service: ModelService) -> tuple[ModelService, str]:
    """The same model with a tokenizer that has no mask token."""
    loaded = service.get_model()
    tokenizer = type(loaded.tokenizer)(
        tokenizer_object=loaded.tokenizer.backend_tokenizer, pad_token="[PAD]", unk_token="[UNK]", model_max_length=64
    )
    return service, service.register(replace(loaded, tokenizer=tokenizer), "bare", "me")


def test_one_packed_batch_equals_reading_one_by_one(service: ModelService, embedded: LoadedModel) -> None:
    together = Explainer(service).occlude(SENTENCE).result
    plain = occlude(PlainReader(embedded, SENTENCE, 128))
    np.testing.assert_allclose(together.effects, plain.effects, atol=ATOL)
    assert (together.words, together.labels, together.fates) == (plain.words, plain.labels, plain.fates)
    for one, other in zip(together.checks, plain.checks, strict=True):
        assert one is not None and other is not None
        np.testing.assert_allclose(one.falls, other.falls, atol=ATOL)
        np.testing.assert_allclose(one.random_falls, other.random_falls, atol=ATOL)
    assert [target.title for target in together.targets][:2] == ["embedding", "class neutral"]
    for target, entity in zip(together.targets[2:], together.analysis.entities, strict=True):
        assert target.value == pytest.approx(entity.score)


def test_a_masked_word_is_the_sentence_with_a_mask_in_its_place(small: ModelService) -> None:
    text = "the cat sat on mat ."
    its = Explainer(small).occlude(text)
    assert its.hides_with == "[MASK]"
    whole = small.analyze([text]).sentences[0]
    for place, word in enumerate(its.result.words):
        (plain,) = small.analyze([f"{text[: word.start]}[MASK]{text[word.end :]}"]).sentences
        assert its.result.effects[0, place] == pytest.approx(1 - whole.cosine_to(plain), abs=ATOL)
        fall = whole.probabilities[whole.label] - plain.probabilities[whole.label]
        assert its.result.effects[1, place] == pytest.approx(fall, abs=ATOL)
        assert its.result.labels[place] == plain.label


def test_without_a_mask_token_words_are_removed_which_is_said(small: ModelService) -> None:
    service, model = without_mask(small)
    text = "the cat sat on mat ."
    its = Explainer(service).occlude(text, model)
    assert its.hides_with == ""
    (whole,) = service.analyze([text], model).sentences
    for place, word in enumerate(its.result.words):
        (plain,) = service.analyze([text[: word.start] + text[word.end :]], model).sentences
        assert its.result.effects[0, place] == pytest.approx(1 - whole.cosine_to(plain), abs=ATOL)


def test_white_space_changes_nothing(small: ModelService) -> None:
    explainer = Explainer(small)
    one, other = (explainer.occlude(text).result for text in ("the cat sat", "  the   cat\tsat "))
    np.testing.assert_allclose(one.effects, other.effects, atol=ATOL)
    assert [word.text for word in one.words] == [word.text for word in other.words]


def test_a_long_sentence_is_cut_and_that_is_told(small: ModelService) -> None:
    its = Explainer(small).occlude("the cat sat " * 1_000)
    assert len(its.result.words) == MAX_WORDS
    assert its.n_left_out == 3_000 - MAX_WORDS
    assert Explainer(small).view_pieces("the " * 3_000).n_left_out == 3_000 - MAX_WORDS
    with pytest.raises(TooMuchInputError, match="60,000 characters; at most 50,000"):
        Explainer(small).occlude("x" * 60_000)
    with pytest.raises(EmptyInputError, match="blank"):
        Explainer(small).view_pieces(" ")


@pytest.mark.parametrize("text", ["?", "\x00", "😀", "a\u0301b", "今天天气"])
def test_odd_sentences_are_explained(small: ModelService, text: str) -> None:
    its = Explainer(small).occlude(text).result
    assert its.effects.shape == (len(its.targets), len(its.words))
    assert np.isfinite(its.effects).all()
    assert its.as_dict()["text"] == text
    Explainer(small).view_pieces(text).result.as_dict()


def test_pieces_are_those_of_the_tokenizer_with_windows_words_and_labels(service: ModelService) -> None:
    text = "John went to Köln 𒀀. " + "It rained there all day long. " * 20
    explained = Explainer(service).view_pieces(text)
    view = explained.result
    (plain,) = service.analyze([view.analysis.text]).sentences
    assert view.analysis.entities == plain.entities
    assert [piece.piece for piece in view.pieces[:6]] == ["john", "went", "to", "koln", "[UNK]", "."]
    assert [place for place, piece in enumerate(view.pieces) if piece.is_unknown] == [4]
    assert view.n_windows == 1 and all(piece.is_read and piece.window == 1 for piece in view.pieces)
    np.testing.assert_allclose(view.probabilities.sum(axis=1), 1, atol=ATOL)
    named = {word.text: kind for word, kind in zip(view.words, view.word_types, strict=True) if kind != "O"}
    assert named.keys() == {"John", "Köln"}


def test_seams_between_windows_are_told(small: ModelService) -> None:
    view = Explainer(small).view_pieces("the cat sat on mat " * 16).result
    assert view.n_windows > 1
    windows = [piece.window for piece in view.pieces]
    assert windows == sorted(windows) and set(windows) == set(range(1, view.n_windows + 1))
    assert sum(not piece.is_read for piece in view.pieces) == view.analysis.n_truncated > 0


def test_two_versions_are_compared_as_they_are_answered(service: ModelService) -> None:
    before, after = "The waiter was rude to John.", "The waiter was kind to John."
    change = Explainer(service).what_if(before, after).result
    one, other = service.analyze([before, after]).sentences
    assert (change.before, change.after) == (one, other)
    assert change.cosine == pytest.approx(one.cosine_to(other))
    assert change.changes_class and not change.changes_entities
    with pytest.raises(EmptyInputError, match="blank"):
        Explainer(service).what_if(before, " ")


def test_variants_are_read_together_and_a_negation_turns_the_answer(fresh: ModelService) -> None:
    text = "The food was wonderful."
    its = Explainer(fresh).try_variants(text).result
    assert fresh.n_forward_passes == 1
    assert its.total.n_variants == sum(tally.n_variants for tally in its.tallies) == len(its.outcomes) >= 15
    assert its.opposite is not None and its.opposite.variant.text == "The food was not wonderful."
    for outcome in its.outcomes:
        (plain,) = fresh.analyze([outcome.variant.text]).sentences
        assert outcome.change.after == plain
    spaces = next(one for one in its.outcomes if one.variant.note == "double spaces")
    assert spaces.change.cosine == pytest.approx(1, abs=ATOL), "this tokenizer does not see white space"


def test_other_names_are_tried_where_there_is_one_and_few_sentences_at_once_are_enough(service: ModelService) -> None:
    narrow = ModelService(replace(service.settings, max_sentences=3))
    its = Explainer(narrow).swap_names("Maria Lopez moved to Berlin.").result
    assert {"English, women", "Asia"} <= {tally.kind for tally in its.tallies}
    assert its.total.n_variants > 30
    assert its.total.n_entities <= its.total.n_variants
    assert Explainer(service).swap_names("It rains.").result.outcomes == ()


def test_an_answer_is_attributed_to_words_with_completeness_and_a_check(service: ModelService) -> None:
    text = "The waiter was rude to John."
    explainer = Explainer(service)
    its = explainer.attribute(text).result
    assert its.target.title == "class negative"
    assert its.is_complete and its.by_word.sum() == pytest.approx(its.log_odds - its.baseline_log_odds, rel=0.02)
    assert its.words[int(its.by_word.argmax())].text == "rude"
    assert its.check is not None
    name = explainer.attribute(text, 2).result
    assert name.target.title == "John PER" and name.words[int(name.by_word.argmax())].text == "John"
    for answer in (0, 3, -1, "class"):
        with pytest.raises(InputError, match="none of them"):
            explainer.attribute(text, answer)  # type: ignore[arg-type]


def test_an_entity_beyond_the_first_window_is_attributed_within_its_own(service: ModelService) -> None:
    narrow = ModelService(replace(service.settings, max_length=24))
    text = "It rained there all day long and nobody went outside at all, " * 2 + "until John Smith came home."
    explainer = Explainer(narrow)
    targets = explainer.occlude(text).result.targets
    place = next(n for n, target in enumerate(targets) if target.title == "John Smith PER")
    its = explainer.attribute(text, place).result
    assert its.is_complete and its.n_outside > 0
    assert {its.words[int(n)].text for n in its.by_word.argsort()[-2:]} == {"John", "Smith"}


def test_words_that_two_sentences_share(service: ModelService) -> None:
    explained = Explainer(service).share_words("The bank raised its interest rates.", "Interest rates went up at the bank.")
    its = explained.result
    one, other = service.analyze([its.first.analysis.text, its.second.analysis.text]).sentences
    assert its.cosine == pytest.approx(one.cosine_to(other), abs=ATOL)
    assert its.together.shape == (len(its.first.words), len(its.second.words))
    assert its.as_dict().keys() == {"cosine", "first", "second", "together"}
