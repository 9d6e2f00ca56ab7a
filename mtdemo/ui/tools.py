"""The named endpoints as tools of assistants, by the Model Context Protocol.

gradio serves them. Left to itself it makes tools of what tabs show, too, and writes answers as Python would, not as JSON.
"""

from __future__ import annotations

import importlib.util
import json
from typing import Any

import gradio as gr
from gradio.mcp import GradioMCPServer

from mtdemo.errors import SettingsError

_OF_THE_PAGE = "_tab"  # ends the names of endpoints that answer what a tab shows


class Tools(GradioMCPServer):  # type: ignore[misc]
    """The endpoints by their names, with answers in JSON.

    Args:
        page: it has the endpoints.

    Raises:
        SettingsError: the library of the protocol is not installed.
    """

    def __init__(self, page: gr.Blocks) -> None:
        if importlib.util.find_spec("mcp") is None:
            raise SettingsError("mcp needs a package that is not installed: pip install 'mtdemo[mcp]'.")
        super().__init__(page)

    def close(self) -> None:
        """End its own connection to the page.

        The server would wait for it.
        """
        if self._client_instance:
            self._client_instance.close()

    def get_tool_to_endpoint(self) -> dict[str, str]:
        """Name tools as their endpoints."""
        endpoints = (name.lstrip("/") for name in self.api_info["named_endpoints"])
        return {name: f"/{name}" for name in endpoints if not name.endswith(_OF_THE_PAGE)}

    def postprocess_output_data(self, data: list[Any], root_url: str) -> list[Any]:
        """Write answers as JSON."""
        texts = (json.dumps(value, ensure_ascii=False) for value in data)
        return [self.types.TextContent(type="text", text=text) for text in texts]


def offer_tools(page: gr.Blocks) -> dict[str, Any]:
    """Give a page tools, before it is launched.

    Returns:
        What the app behind it must be made with.
    """
    page.mcp_server_obj = Tools(page)  # gradio's own switch would make a `GradioMCPServer`
    return {"lifespan": page.mcp_server_obj.lifespan}
