import numpy as np
import pytest

from mtdemo.analysis.similarity import cosine_similarity
from mtdemo.analysis.vectors.clusters import find_clusters, order_by_similarity, set_apart
from mtdemo.errors import InputError
from tests.analysis.vectors.test_background import vectors


def groups(n_each: int = 8) -> np.ndarray:
    return np.concatenate([np.eye(3, 6, dtype=np.float32)[k] + 0.1 * vectors(n_each + k, 6)[:n_each] for k in range(3)])


def test_clusters_part_all_sentences_and_find_what_was_put_in() -> None:
    clusters = find_clusters(groups(), [f"text {n}" for n in range(24)], 3)
    assert sorted(member for cluster in clusters for member in cluster.members) == list(range(24))
    assert {frozenset(member // 8 for member in cluster.members) for cluster in clusters} == {
        frozenset({0}), frozenset({1}), frozenset({2}),
    }  # fmt: skip
    for cluster in clusters:
        assert 0.8 < cluster.cohesion <= 1


def test_the_first_member_is_the_most_central() -> None:
    (cluster,) = find_clusters(vectors(20), ["x"] * 20, 1)
    unit = vectors(20) / np.linalg.norm(vectors(20), axis=1, keepdims=True)
    cosines = unit @ unit.mean(axis=0)
    assert cluster.members[0] == cosines.argmax()
    assert cluster.words == (), "one group has nothing to be set apart from"


def test_words_that_set_a_group_apart_are_those_that_others_lack() -> None:
    texts = ["The cat sat well", "A cat ran well", "My cat was well", "The bank fell", "A bank rose", "My bank"]
    first, second = set_apart(texts, [range(3), range(3, 6)])
    assert set(first) == {"cat"}, "and function words are none of them"
    assert second == ("bank",)


def test_a_word_counts_once_per_sentence() -> None:
    texts = ["ha ha ha ha", "great way", "home go", "home stay"]
    assert "ha" not in set_apart(texts, [[0, 1], [2, 3]])[0]


def test_fewer_different_embeddings_make_fewer_clusters() -> None:
    rows = np.repeat(np.eye(2, dtype=np.float32), 3, axis=0)
    assert [len(cluster.members) for cluster in find_clusters(rows, ["x"] * 6, 4)] == [3, 3]


@pytest.mark.parametrize("n", [0, 5, 21])
def test_another_number_of_clusters_is_refused(n: int) -> None:
    with pytest.raises(InputError, match=r"4 sentences make 1 to 4 clusters"):
        find_clusters(vectors(4), ["x"] * 4, n)


def test_the_order_holds_each_once_and_puts_like_beside_like() -> None:
    rows = groups()[np.random.default_rng(0).permutation(24)]
    order = order_by_similarity(cosine_similarity(rows))
    assert sorted(order) == list(range(24))
    kinds = rows[order][:, :3].argmax(axis=1)
    assert (np.diff(kinds) != 0).sum() == 2
    assert order_by_similarity(cosine_similarity(vectors(2))) == [0, 1]
