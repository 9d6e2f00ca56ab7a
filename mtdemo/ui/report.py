"""All answers as one page to keep: an HTML file without a script, that loads nothing and reads well in light and dark."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from functools import partial

import gradio as gr
import pandas as pd

from mtdemo.analysis.similarity import Similarity
from mtdemo.data.loaded_file import LoadedFile
from mtdemo.models.parts import LEARNED_TASKS
from mtdemo.results import ModelInfo
from mtdemo.serving.service import ModelService
from mtdemo.ui.charts.similarity import MAX_SENTENCES
from mtdemo.ui.components.cards import render_answers
from mtdemo.ui.components.downloads import add_made_download
from mtdemo.ui.components.file_loader import describe_file
from mtdemo.ui.components.grid import render_grid
from mtdemo.ui.components.sentence_box import SentenceBox, ask
from mtdemo.ui.tabs.answers import count_read
from mtdemo.ui.tabs.entities import tabulate_entities
from mtdemo.ui.tabs.similarity import tabulate_pairs
from mtdemo.ui.theme import CSS

POLICY = "default-src 'none'; style-src 'unsafe-inline'"  # a browser that reads it loads nothing and runs nothing
_SHARED = re.compile(r"/\* shared \*/\n(.*?)/\* own \*/", re.DOTALL)
_DARK = re.compile(r"^\.dark [^{]*\{[^}]*\}(?: \.dark [^{]*\{[^}]*\})*\n?", re.MULTILINE)
_LOOK = """
body { max-width: 1080px; margin: 0 auto; padding: 20px 14px; --ground: #f1f5f9;
  background: var(--ground); color: var(--ink);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; color-scheme: light dark; }
h1 { margin: 0 0 6px; font-size: 1.3rem; } h2 { margin: 26px 0 8px; font-size: 1.05rem; }
.facts, .facts p { margin: 2px 0; color: var(--soft); font-size: 0.9rem; }
.scrolls { overflow-x: auto; }
.plain { border-collapse: collapse; font-size: 0.87rem; }
.plain :is(td, th) { padding: 4px 10px; border-top: 1px solid var(--line); text-align: left; vertical-align: top; }
.plain :is(td, th):first-child { white-space: nowrap; }
.plain th { color: var(--soft); font-weight: 500; }
.hidden-text { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
.pages { display: none; } tbody[hidden] { display: table-row-group; }  /* a page that is printed turns no pages */
@media (prefers-color-scheme: dark) { body { --ground: #0b0f19; } }
@media (max-width: 760px) {
  .answer { grid-template-columns: minmax(0, 1fr); }
  .scrolls table.answers { min-width: 640px; }
}
@media print { body { --ground: #fff; } .answer { break-inside: avoid; } }
"""


def render_report(similarity: Similarity, file: LoadedFile | None = None) -> str:
    """Write all answers as an HTML file of its own.

    What a person wrote is escaped everywhere.

    Args:
        similarity: the answers.
        file: where the sentences came from, if from a file.
    """
    info = similarity.analysis.model
    facts = (
        f"<p>{' · '.join(count_read(similarity.analysis))}</p>",
        *(f"<p>{line}</p>" for line in _describe_model(info)),
        describe_file(file) if file else "",
    )
    sections = (
        f'<h2>{title}</h2><div class="scrolls" tabindex="0" role="region" aria-label="{title}">{body}</div>'
        for title, body in _sections(similarity)
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>mtdemo: answers of {html.escape(info.id)}</title><style>{report_css()}</style></head>\n"
        '<body class="gradio-container">\n<main><h1>One encoder, three answers</h1>'
        f'<div class="facts">{"".join(facts)}</div>{"".join(sections)}</main>\n</body>\n</html>\n'
    )


def add_report(service: ModelService, box: SentenceBox, model: gr.State) -> None:
    """Add a button that hands out the report.

    Args:
        service: answers from its cache.
        box: holds what was read.
        model: the visitor's choice of model.
    """
    asked = [box.asked, model, box.file]
    add_made_download(service, "Everything as a report (HTML)", partial(write_report, service), asked)


def write_report(service: ModelService, text: str, model: str | None, file: LoadedFile | None) -> tuple[bytes, str]:
    """Write the report of what was read.

    Returns:
        The content, UTF-8, and the name of the file.
    """
    report = render_report(ask(service, service.similarity, text, model, gr.Progress()), file)
    return report.encode("utf-8"), "mtdemo-report.html"


def report_css() -> str:
    """Write the report's style, from that of the page.

    The page is dark by a class, the report by the reader's own system.
    """
    shared = "".join(_SHARED.findall(CSS))
    dark = "".join(_DARK.findall(shared))
    by_system = dark.replace(".dark .gradio-container, .gradio-container.dark", ".gradio-container").replace(".dark ", "")
    return f"{_DARK.sub('', shared)}@media (prefers-color-scheme: dark) {{\n{by_system}}}\n{_LOOK}"


def _sections(similarity: Similarity) -> Iterator[tuple[str, str]]:
    n = len(similarity.analysis)
    yield "Answers", render_answers(similarity)
    if n > 1:
        yield f"Cosine similarity{f' of the first {MAX_SENTENCES}' if n > MAX_SENTENCES else ''}", render_grid(similarity)
        yield "Pairs that stand out", _table(tabulate_pairs(similarity))
    entities = tabulate_entities(similarity.analysis)
    if len(entities):
        yield "Entities", _table(entities)


def _describe_model(info: ModelInfo) -> Iterator[str]:
    heads = ", ".join(f"{task.singular} head" for task in LEARNED_TASKS if task.head in info.trained_heads) or "none"
    yield (
        f"Model <b>{html.escape(info.id)}</b>: {html.escape(info.architecture)}, {info.n_layers} layers, "
        f"{info.n_parameters / 1e6:.1f} million parameters; trained: {heads}."
    )
    if info.note:
        yield html.escape(info.note)


def _table(table: pd.DataFrame) -> str:
    return str(table.to_html(index=False, escape=True, border=0, classes="plain", max_rows=None))
