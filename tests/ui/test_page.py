"""The page as a whole, and its endpoints, called through gradio's own client on a real server."""

from gradio_client import Client

from mtdemo.planning.planner import Planner
from mtdemo.ui.page import build_page
from tests.ui.conftest import FakeService


def test_building_the_page_loads_nothing(fake: FakeService, planner: Planner) -> None:
    build_page(fake, planner)
    assert fake.asked == []


def test_every_tab_has_a_named_endpoint_and_nothing_else_is_public(client: Client) -> None:
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert set(endpoints) == {
        "/embed", "/similarity", "/classify", "/entities", "/analyze", "/freezing_plan",
        "/embedding_tab", "/classification_tab", "/entities_tab",
    }  # fmt: skip
    for name, endpoint in endpoints.items():
        assert endpoint.get("description"), name


def test_tabs_answer_too(client: Client) -> None:
    note, _, pairs, vectors, csv, _ = client.predict("A dog.\nA puppy.", api_name="/embedding_tab")
    assert "Answered by `embedded`" in note
    assert pairs["data"][0][2:] == ["A dog.", "A puppy."]
    assert [row[0] for row in vectors["data"]] == ["A dog.", "A puppy."]
    assert csv["value"].endswith(".csv") if isinstance(csv, dict) else csv.endswith(".csv")
    _, pieces, table = client.predict("John met Lisa.", api_name="/entities_tab")
    assert [piece["class_or_confidence"] for piece in pieces if piece["class_or_confidence"]] == ["PER", "PER"]
    assert table["data"][0][1] == "John"
    _, bars, _ = client.predict("What a wonderful day!", api_name="/classification_tab")
    assert bars["value"]["label"] == "positive" if "value" in bars else bars["label"] == "positive"
