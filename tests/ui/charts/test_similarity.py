from mtdemo.ui.charts.similarity import plot_similarity
from tests.ui.conftest import FakeService


def test_markup_in_sentences_is_text_in_the_picture(fake: FakeService) -> None:
    figure = plot_similarity(fake.similarity(["<b>bold</b>", "<a href='javascript:x'>y</a>"]))
    assert "<b>" not in str(figure.data[0].y) + str(figure.data[0].customdata)
    assert "&lt;b&gt;" in figure.data[0].y[0]
    figure = plot_similarity(fake.similarity(['He said "no" & won\'t', "x"]))
    assert figure.data[0].y[0] == '1. He said "no" &amp; won\'t', "Plotly knows the entities of <, > and & only"
