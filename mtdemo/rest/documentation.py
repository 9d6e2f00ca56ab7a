"""The page /docs: what OpenAPI says of the interface, as plain HTML. The usual viewers load their code from elsewhere."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator, Mapping
from typing import Any

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color-scheme:light dark}"
    "table{border-collapse:collapse}td,th{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top}"
    "pre{overflow:auto;padding:.6rem;border:1px solid #8886}"
)


def write_page(openapi: Mapping[str, Any]) -> str:
    """Write the documentation as HTML.

    Args:
        openapi: the description of the interface.
    """
    title = _text(openapi["info"]["title"])
    body = "".join(
        _operation(openapi, path, method, operation)
        for path, operations in openapi["paths"].items()
        for method, operation in operations.items()
    )
    shapes = "".join(_shape(name, shape) for name, shape in openapi["components"]["schemas"].items())
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}: API</title><style>{_STYLE}</style>'
        f"<h1>{title} {_text(openapi['info']['version'])}</h1>"
        '<p>The same for programs: <a href="openapi.json">openapi.json</a>. Errors are problem details (RFC 9457).</p>'
        f"{body}<h2>Shapes</h2>{shapes}</html>"
    )


def _operation(openapi: Mapping[str, Any], path: str, method: str, operation: Mapping[str, Any]) -> str:
    parts = [f"<h2><code>{method.upper()} {_text(path)}</code></h2><p>{_text(operation.get('description', ''))}</p>"]
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        example = _example(openapi, schema)
        parts.append(f"<p>Takes {_type_of(schema)}, such as</p><pre>{_text(json.dumps(example, ensure_ascii=False))}</pre>")
    answers = "".join(
        f"<tr><td>{_text(status)}</td><td>{_text(answer['description'])}</td><td>{' '.join(_types(answer))}</td></tr>"
        for status, answer in operation["responses"].items()
    )
    return "".join([*parts, f"<table>{answers}</table>"])


def _types(answer: Mapping[str, Any]) -> Iterator[str]:
    for content in answer.get("content", {}).values():
        yield _type_of(content.get("schema", {}))


def _shape(name: str, shape: Mapping[str, Any]) -> str:
    fields = shape.get("properties", {})
    rows = "".join(
        f"<tr><td><code>{_text(name)}</code></td><td>{_type_of(its)}</td><td>{_text(its.get('description', ''))}</td></tr>"
        for name, its in fields.items()
    )
    return f'<h3 id="{_text(name)}">{_text(name)}</h3><p>{_text(shape.get("description", ""))}</p><table>{rows}</table>'


def _type_of(schema: Mapping[str, Any]) -> str:
    """Name the type of a schema, linked to its shape."""
    if "$ref" in schema:
        name = _text(schema["$ref"].rpartition("/")[2])
        return f'<a href="#{name}">{name}</a>'
    if "anyOf" in schema:
        return " or ".join(_type_of(one) for one in schema["anyOf"])
    if "enum" in schema:
        return " or ".join(_text(json.dumps(value)) for value in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {_type_of(schema.get('items', {}))}"
    return _text(schema.get("type", "anything"))


def _example(openapi: Mapping[str, Any], schema: Mapping[str, Any]) -> dict[str, Any]:
    """Make an example from the examples and defaults of fields."""
    shape = openapi["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    example = {name: (field.get("examples") or [field.get("default")])[0] for name, field in shape["properties"].items()}
    return {name: value for name, value in example.items() if value is not None}


def _text(text: Any) -> str:
    return html.escape(str(text))
