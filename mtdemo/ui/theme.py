"""How the page looks, in light and dark. No font or style is fetched from anywhere."""

from __future__ import annotations

import gradio as gr

FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
MONOSPACE = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")

CSS = """
.gradio-container { max-width: 1120px !important; margin-inline: auto !important; }
.note { padding: 0.1rem 0.75rem !important; border-left: 3px solid var(--color-accent); }
.note p { margin: 0.25rem 0; }
.totals { display: flex; flex-wrap: wrap; gap: 0.75rem; margin: 0; }
.totals div { flex: 1 1 9rem; padding: 0.6rem 0.9rem; border: 1px solid var(--border-color-primary);
  border-radius: var(--radius-lg); background: var(--background-fill-secondary); }
.totals dt { font-size: 0.8rem; color: var(--body-text-color-subdued); }
.totals dd { margin: 0; font-size: 1.25rem; font-weight: 600; font-variant-numeric: tabular-nums; }
.warnings { margin: 0.75rem 0 0; padding-left: 0; list-style: none; }
.warnings li { margin-top: 0.4rem; padding: 0.4rem 0.75rem; border-left: 3px solid var(--color-accent); }
"""


def make_theme() -> gr.themes.Base:
    """A quiet theme in the fonts that the reader's own system has."""
    return gr.themes.Soft(primary_hue="teal", secondary_hue="teal", neutral_hue="slate", font=FONTS, font_mono=MONOSPACE)
