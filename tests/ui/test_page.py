"""The page as a whole, and its endpoints, called through gradio's own client on a real server."""

from gradio_client import Client

from mtdemo.planning.planner import Planner
from mtdemo.serving.service import ModelService
from mtdemo.serving.vector_service import VectorService
from mtdemo.ui.components.downloads import csv_files, json_lines, make_file
from mtdemo.ui.page import build_page, make_link
from mtdemo.ui.tabs.answers import as_record, read, tabulate_answers
from mtdemo.ui.tabs.classification import show_classes, show_rows
from mtdemo.ui.tabs.entities import show_entities
from mtdemo.ui.tabs.similarity import show_embeddings, show_grid
from tests.ui.conftest import FakeService


def test_building_the_page_loads_nothing(fake: FakeService, planner: Planner) -> None:
    build_page(fake, planner)
    assert fake.asked == []


def test_every_tab_has_a_named_endpoint_and_nothing_else_is_public(client: Client) -> None:
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(endpoints) == {
        "/embed", "/similarity", "/classify", "/entities", "/analyze", "/freezing_plan",
        "/examine_classes", "/examine_entities", "/scale", "/rank", "/duplicates", "/map", "/layers", "/compare",
        "/explain", "/pieces", "/what_if", "/try_variants", "/swap_names", "/attribute", "/shared_words",
        "/embedding_tab", "/classification_tab", "/entities_tab",
    }  # fmt: skip
    for name, endpoint in endpoints.items():
        assert endpoint.get("description"), name


def test_tabs_answer_too(client: Client) -> None:
    note, _, pairs, vectors = client.predict("A dog.\nA puppy.", api_name="/embedding_tab")
    assert note.startswith("**Is a cosine high?**"), "there is nothing else to tell"
    assert pairs["data"][0][3:] == ["A dog.", "A puppy."]
    assert [row[0] for row in vectors["data"]] == ["A dog.", "A puppy."]
    _, pieces, table = client.predict("John met Lisa.", api_name="/entities_tab")
    assert [piece["class_or_confidence"] for piece in pieces if piece["class_or_confidence"]] == ["PER", "PER"]
    assert table["data"][0][1] == "John"
    _, bars, _ = client.predict("What a wonderful day!", api_name="/classification_tab")
    assert bars["value"]["label"] == "positive" if "value" in bars else bars["label"] == "positive"


def test_a_whole_visit_reads_each_sentence_once(fresh: ModelService) -> None:
    text = "John met Lisa.\nIt rains.\nA good day!\nNobody came.\nJohn met Lisa."
    vectors = VectorService(fresh)
    vectors.background()  # as when the model was loaded
    before = fresh.n_forward_passes
    asked, stood, n_answers, problem, work, _ = read(vectors, text, None, 0)
    assert fresh.n_forward_passes == before + 1
    assert (asked, stood, n_answers, problem) == (text, text, 1, "")
    assert "5 sentences" in work and "<b>1 pass</b>" in work and "from the cache" not in work
    show_embeddings(vectors, asked, None)
    for fill in (show_grid, show_classes, show_rows, show_entities):
        fill(fresh, asked, None)
    for file in (*csv_files("answers", tabulate_answers), json_lines("answers", as_record)):
        make_file(fresh, file, asked, None)
    assert fresh.n_forward_passes == before + 1, "a tab that is opened finds its answers in the cache"
    *_, work, _ = read(vectors, f"{text}\nThe sun is new.", None, 1)
    assert fresh.n_forward_passes == before + 2
    assert "6 sentences" in work and "<b>1 pass</b> · 5 from the cache" in work


def test_every_tab_is_filled_when_something_was_read(fake: FakeService, planner: Planner) -> None:
    config = build_page(fake, planner).get_config_file()
    by_id = {component["id"]: component for component in config["components"]}
    stood = next(c["id"] for c in config["components"] if c["props"].get("label") == "What was read")
    asked = next(d["outputs"][0] for d in config["dependencies"] if d["outputs"][1:2] == [stood])
    assert by_id[asked]["type"] == "state", "no tab is sent the text, which may be long"
    asks = [d for d in config["dependencies"] if d["inputs"][:1] == [asked]]
    fills = [d for d in asks if "change" in [event for _, event in d["targets"]]]
    after = {d["trigger_after"]: d for d in asks if d["trigger_after"] is not None}
    last = next(fill for fill in fills if fill["id"] in after)
    assert by_id[last["targets"][0][0]]["type"] == "state", "the number of answers"
    while last := after.get(last["id"]):
        fills.append(last)
    assert len(fills) > 10, "one after another"
    kinds = {by_id[output]["type"] for fill in fills for output in fill["outputs"]}
    assert {"plot", "dataframe", "label", "highlightedtext", "html", "markdown"} <= kinds


def test_a_link_or_why_there_is_none() -> None:
    query, problem = make_link(" One & two?\n\n Three. ", None)
    assert (query, problem) == ("q=One+%26+two%3F%0AThree.", "")
    assert make_link("One", "bert-base-uncased")[0] == "q=One&model=bert-base-uncased"
    for text, model, words in (
        ("", None, "nothing to read"),
        ("x" * 3_000, None, "3,002 characters"),
        ("a", "mine", "alone"),
    ):
        query, problem = make_link(text, model)
        assert query == "" and words in problem and 'role="alert"' in problem
