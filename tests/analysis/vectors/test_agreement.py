from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mtdemo.analysis.similarity import cosine_similarity
from mtdemo.analysis.vectors.agreement import compare_answers
from mtdemo.results import Analysis, SentenceAnalysis
from tests.ui.conftest import INFO, FakeService, analyse

TEXTS = [f"Ada met {name} today" for name in ("Bob", "nobody", "Carl", "Dora", "us", "them", "Eve")]


def other_answers(change: int) -> Analysis:
    """The same, but for one sentence that is of the other class, without its first name and somewhere else."""
    sentences = list(FakeService().analyze(TEXTS).sentences)
    sentences[change] = replace(
        sentences[change],
        probabilities={"no": 0.9, "yes": 0.1},
        entities=sentences[change].entities[1:],
        embedding=-sentences[change].embedding,
    )
    return Analysis(INFO, tuple(sentences))


def test_a_model_agrees_with_itself() -> None:
    one = FakeService().analyze(TEXTS)
    found = compare_answers(one, one)
    assert (found.n_class_changes, found.n_entity_changes) == (0, 0)
    assert found.rank_correlation == pytest.approx(1.0)
    assert found.shared_neighbours == 1.0
    assert [row.position for row in found.rows] == list(range(len(TEXTS)))


def test_the_sentence_that_differs_comes_first_and_says_how() -> None:
    found = compare_answers(FakeService().analyze(TEXTS), other_answers(3))
    first, *others = found.rows
    assert first.position == 3
    assert first.classes == ("yes", "no")
    assert first.distance == pytest.approx(0.65)
    assert [entity.text for entity in first.only_one] == ["Ada"] and first.only_other == ()
    assert not any(row.changes_class or row.changes_entities for row in others)
    assert (found.n_class_changes, found.n_entity_changes) == (1, 1)


def test_the_correlation_is_that_of_scipy() -> None:
    from scipy.stats import spearmanr

    one, other = FakeService().analyze(TEXTS), other_answers(2)
    upper = np.triu_indices(len(TEXTS), k=1)
    pairs = [cosine_similarity(analysis.embeddings)[upper] for analysis in (one, other)]
    expected = spearmanr(*pairs).statistic
    found = compare_answers(one, other)
    assert found.mean_cosines == pytest.approx([each.mean() for each in pairs], abs=1e-6)
    assert found.rank_correlation == pytest.approx(expected, abs=1e-6)
    assert found.n_pairs == 21
    assert compare_answers(other, one).rank_correlation == found.rank_correlation


def test_neighbours_are_compared_as_sets() -> None:
    from sklearn.neighbors import NearestNeighbors

    one, other = FakeService().analyze(TEXTS), other_answers(0)
    k = 3
    sets = [
        NearestNeighbors(n_neighbors=k + 1, metric="cosine").fit(a.embeddings).kneighbors(a.embeddings)[1]
        for a in (one, other)
    ]
    expected = {n: len({*a[1:]} & {*b[1:]}) / k for n, (a, b) in enumerate(zip(*sets, strict=True))}
    found = compare_answers(one, other)
    assert found.n_neighbours == k
    assert {row.position: row.shared_neighbours for row in found.rows} == pytest.approx(expected)


@pytest.mark.parametrize("changes", [{"class_labels": ("a", "b"), "entity_types": ("GENE",)}, {"trained_heads": ()}])
def test_heads_that_say_other_things_or_nothing_are_not_compared(changes: dict[str, tuple[str, ...]]) -> None:
    info = replace(INFO, **changes)
    found = compare_answers(FakeService().analyze(TEXTS), FakeService(info).analyze(TEXTS))
    assert not found.compares_classes and not found.compares_entities
    assert all(row.classes is None and row.distance is None and not row.changes_entities for row in found.rows)


def test_two_sentences_have_no_correlation_and_equal_ones_no_variance() -> None:
    same = Analysis(INFO, tuple(replace(analyse("x"), text=str(n)) for n in range(4)))
    assert compare_answers(same, same).rank_correlation is None
    two: tuple[SentenceAnalysis, ...] = same.sentences[:2]
    found = compare_answers(Analysis(INFO, two), Analysis(INFO, two))
    assert (found.rank_correlation, found.n_pairs, found.shared_neighbours) == (None, 0, None)
