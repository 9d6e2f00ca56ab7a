"""Every endpoint as a tool of assistants, and each example of docs/api.md, asked in three ways on a real server."""

import ast
import importlib.util
import json
import re
import subprocess
from typing import Any

import pytest
from gradio_client import Client

from mtdemo.errors import SettingsError
from mtdemo.planning.planner import Planner
from mtdemo.ui.page import build_page
from mtdemo.ui.tools import offer_tools
from tests.app_process import ROOT, AppProcess
from tests.asynchrony import run_async
from tests.ui.conftest import FakeService

ROW = re.compile(r"^\| `(\w+)` \| `(\{.*?\})` \| `(.+?)` \| `(.+?)` \|$", re.MULTILINE)
EXAMPLES = [
    (name, json.loads(arguments), part, value)
    for name, arguments, part, value in ROW.findall((ROOT / "docs" / "api.md").read_text(encoding="utf-8"))
]


def test_the_examples_are_of_every_endpoint(client: Client) -> None:
    endpoints = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    assert len({name for name, *_ in EXAMPLES}) == len(EXAMPLES)
    assert {f"/{name}" for name, *_ in EXAMPLES} == {name for name in endpoints if not name.endswith("_tab")}


def test_each_example_is_answered_alike_to_gradio_client_curl_and_an_assistant(app: AppProcess, client: Client) -> None:
    tools, of_tools = run_async(_ask_tools(app.url))
    assert tools == {name: set(arguments) for name, arguments, *_ in EXAMPLES} | {
        "freezing_plan": {"backbone", "scenario", "n_frozen_layers", "n_frozen_last_layers"},
        "map": {"sentences", "method", "n_dimensions", "n_clusters"},
    }
    for (name, arguments, part, value), of_tool in zip(EXAMPLES, of_tools, strict=True):
        answer = client.predict(**arguments, api_name=f"/{name}")
        assert eval(part, {"answer": answer}) == ast.literal_eval(value), name  # noqa: S307
        assert of_tool == _rounded(answer), name
        assert _ask_by_curl(app.url, name, arguments) == _rounded(answer), name


def test_an_assistant_is_told_what_cannot_be_answered(app: AppProcess) -> None:
    _, (answer,) = run_async(_ask_tools(app.url, [("classify", {"sentences": ["fine", " "]}, "", "")]))
    assert answer == "Sentence 2: It is blank. Leave it out, or write something."


def test_without_the_library_the_setting_says_how_to_get_it(
    fake: FakeService, planner: Planner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install 'mtdemo\[mcp\]'"):
        offer_tools(build_page(fake, planner))


async def _ask_tools(url: str, examples: list[Any] = EXAMPLES) -> tuple[dict[str, set[str]], list[Any]]:
    """The tools with their arguments, and what they answer; the words of an error."""
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    async with (
        streamable_http_client(f"{url}/gradio_api/mcp/") as (received, sent, _),
        ClientSession(received, sent) as session,
    ):
        await session.initialize()
        tools = {tool.name: set(tool.inputSchema["properties"]) for tool in (await session.list_tools()).tools}
        results = [await session.call_tool(name, arguments) for name, arguments, *_ in examples]
        texts = [result.content[0].text for result in results]
        return tools, [text if result.isError else json.loads(text) for text, result in zip(texts, results, strict=True)]


def _ask_by_curl(url: str, name: str, arguments: dict[str, Any]) -> Any:
    def curl(path: str, *more: str) -> str:
        command = ["curl", "-sN", f"{url}/gradio_api/call/{path}", "-H", "Content-Type: application/json", *more]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout  # noqa: S603

    told = curl(f"{name}/{json.loads(curl(f'v2/{name}', '-d', json.dumps(arguments)))['event_id']}")
    assert told.startswith("event: complete"), told
    return json.loads(told.partition("data: ")[2])[0]


def _rounded(value: Any) -> Any:
    """The same, but for the last digits, which depend on what was computed together."""
    if isinstance(value, float):
        return pytest.approx(value, abs=1e-4)
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return {name: _rounded(item) for name, item in value.items()} if isinstance(value, dict) else value
