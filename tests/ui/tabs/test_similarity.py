import io
from dataclasses import replace

import numpy as np
import pandas as pd

from mtdemo.results import Pair
from mtdemo.serving.vector_service import VectorService
from mtdemo.ui.components.downloads import as_csv
from mtdemo.ui.tabs.similarity import as_npy, show_embeddings, tabulate_pairs, tabulate_values
from tests.ui.conftest import FakeService


def test_similarity_is_a_note_a_heat_map_and_pairs(fake: FakeService, vectors: VectorService) -> None:
    note, figure, pairs, *_ = show_embeddings(vectors, "one\n\n two \nthree", None)
    assert fake.asked[0] == (("one", "two", "three"), None)
    assert note.startswith("**Is a cosine high?** Of 2,556 random pairs of 72 everyday sentences"), (
        "and who answers says the badge"
    )
    assert pairs["% of random pairs below"].between(0, 100).all()
    assert "% of random pairs" in figure.data[0].customdata[0][1][2]
    assert np.array(figure.data[0].z).shape == (3, 3)
    assert len(pairs) == 3
    assert list(pairs["cosine"]) == sorted(pairs["cosine"], reverse=True)


def test_one_sentence_has_no_heat_map_and_is_told_why(fake: FakeService, vectors: VectorService) -> None:
    note, figure, pairs, *_ = show_embeddings(vectors, "one", None)
    assert figure is None
    assert pairs.empty
    assert "With a second line, a map of the cosines stands here" in note


def test_many_sentences_are_drawn_up_to_a_limit_and_told(fake: FakeService, vectors: VectorService) -> None:
    note, figure, *_ = show_embeddings(vectors, "\n".join(f"word {n}" for n in range(60)), None)
    assert np.array(figure.data[0].z).shape == (50, 50)
    assert len(set(figure.data[0].y)) == 50
    assert "first 50 of 60" in note


def test_files_hold_every_value(fake: FakeService, vectors: VectorService) -> None:
    analysis = fake.analyze(['comma, "quote"', "long one"])
    table = pd.read_csv(io.BytesIO(as_csv(tabulate_values(analysis))))
    assert list(table["sentence"]) == ['comma, "quote"', "long one"]
    assert list(table["n_truncated"]) == [0, 7]
    assert list(table["n_unknown"]) == [0, 0]
    np.testing.assert_allclose(table.filter(like="dim_").to_numpy(), analysis.embeddings, rtol=1e-6)
    assert np.array_equal(np.load(io.BytesIO(as_npy(analysis))), analysis.embeddings)
    *_, values = show_embeddings(vectors, "one\ntwo", None)
    assert list(values["sentence"]) == ["one", "two"]
    assert len(values["first 10 values"][0].split()) == 4


def test_a_pair_stands_in_the_table_once(fake: FakeService) -> None:
    for n in range(1, 8):
        pairs = tabulate_pairs(fake.similarity([f"word {i}" for i in range(n)]))
        assert not pairs.duplicated(["sentence", "other sentence"]).any()
        assert len(pairs) == min(10, n * (n - 1) // 2)


def test_the_best_of_strangers_is_not_called_similar(fake: FakeService) -> None:
    similarity = fake.similarity(["a", "b", "c"])
    pairs = (Pair(0, 1, 0.31), Pair(0, 2, 0.147))
    table = tabulate_pairs(replace(similarity, most_similar=pairs, least_similar=(Pair(1, 2, -0.2),)))
    assert list(table["pair"]) == ["most similar", "the best, not near", "least similar"]


def test_many_sentences_are_their_own_scale(vectors: VectorService) -> None:
    note, *_ = show_embeddings(vectors, "\n".join(f"word {n}" for n in range(120)), None)
    assert "random pairs of 120 these sentences" not in note
    assert "5,000 random pairs of 120 of your sentences" in note
