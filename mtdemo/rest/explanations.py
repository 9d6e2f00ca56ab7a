"""Questions of programs about one sentence: why, and what if.

The docstrings are what both interfaces show as documentation.
"""

from __future__ import annotations

from typing import Any

from mtdemo.errors import InputError
from mtdemo.serving.explainer import Explained, Explainer
from mtdemo.serving.service import ModelService
from mtdemo.text.tokenization import replace_unreadable


class Explanations:
    """Answers about single sentences, as plain dictionaries.

    Args:
        service: reads the sentences.
    """

    def __init__(self, service: ModelService) -> None:
        self._explainer = Explainer(service)

    def explain(self, sentence: str) -> dict[str, Any]:
        """Hide every word in turn and measure all answers.

        Returns text, label, answers (kind, title, value, check: whether hiding the words with the largest effects
        changes the answer more than hiding others), words (text, start, end, effects: what each answer loses without
        the word, in the order of answers, label: the class without it, fates: of the entities, kept, changed or lost,
        n_found: new entities), hides_with, n_left_out, model.
        """
        return _as_hiding_record(self._explainer.occlude(_text(sentence)))

    def pieces(self, sentence: str) -> dict[str, Any]:
        """Show word pieces, label probabilities, and words made of them.

        Returns text, n_tokens, n_truncated, n_unknown, n_windows, pieces (piece, start, end, is_unknown, is_read: for
        embedding and class, window, word: its position, probabilities), words (text, start, end, label, probability),
        entities, n_left_out, model.
        """
        return _as_record(self._explainer.view_pieces(_text(sentence)))

    def what_if(self, before: str, after: str) -> dict[str, Any]:
        """Compare the answers about two versions of a sentence.

        Returns before, after (as they were read), cosine, label_before, label_after, changes_class, changes_entities,
        classes (label, before, after: probabilities, the largest change first), entities (kind: lost, new, changed or
        kept, before, after), n_left_out, model.
        """
        return _as_record(self._explainer.what_if(_text(before), _text(after)))

    def try_variants(self, sentence: str) -> dict[str, Any]:
        """Read harmless variants, and a negation.

        Returns text, label, entities, total and kinds (kind, n_variants, n_classes and n_entities: of them that change the
        class or an entity, mean_cosine, lowest_cosine, mean_probability: of the label), variants (kind, note, text,
        cosine, label, probability, changes_class, changes_entities, entities; those that change most first), opposite:
        the same of the negation, which should change the answer, null for a question; n_left_out, model.
        """
        return _as_record(self._explainer.try_variants(_text(sentence)))

    def swap_names(self, sentence: str) -> dict[str, Any]:
        """Put other people and places into a sentence, by groups.

        Returns what try_variants returns, kinds being groups of names; without variants where neither a person nor a
        place is found.
        """
        return _as_record(self._explainer.swap_names(_text(sentence)))

    def attribute(self, sentence: str, answer: int = 1) -> dict[str, Any]:
        """Attribute an answer to words by integrated gradients.

        answer: its position among the answers of explain; 1 is the class, from 2 on come the entities.
        Returns text, answer (kind, title, value, check), words (text, start, end, attribution: its part of the log odds),
        log_odds, baseline_log_odds, total (of the parts), gap (the part of the difference that they miss), n_steps,
        is_complete, n_outside (words outside of the window that was read for it), hides_with, n_left_out, model.
        """
        return _as_hiding_record(self._explainer.attribute(_text(sentence), answer))

    def shared_words(self, first: str, second: str) -> dict[str, Any]:
        """Find the words that make two sentences similar.

        Returns cosine, first and second (text, words: text, start, end, effect: how much the cosine falls without it,
        check), together (matrix: the part of the cosine that two words make together), hides_with, n_left_out, model.
        """
        return _as_hiding_record(self._explainer.share_words(_text(first), _text(second)))


def _as_record(explained: Explained[Any]) -> dict[str, Any]:
    return {**explained.result.as_dict(), "n_left_out": explained.n_left_out, "model": explained.model.id}


def _as_hiding_record(explained: Explained[Any]) -> dict[str, Any]:
    return {**_as_record(explained), "hides_with": explained.hides_with}


def _text(sentence: str) -> str:
    """Replace lone surrogates, which JSON can carry."""
    if not isinstance(sentence, str):
        raise InputError(f"`sentence` must be a text, not {type(sentence).__name__}.")
    return replace_unreadable(sentence)
