"""How the page looks, in light and dark. No font or style is fetched from anywhere."""

from __future__ import annotations

import gradio as gr

FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
MONOSPACE = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")

CSS = """
.gradio-container { width: 100% !important; max-width: 1120px !important; margin-inline: auto !important; }
.note:not(.note .note) { padding: 0.1rem 0.75rem !important; border-left: 3px solid var(--color-accent); }
.note p { margin: 0.25rem 0; overflow-wrap: anywhere; }
.card table { display: block; overflow-x: auto; }
.card pre, .card code { overflow-wrap: anywhere; white-space: pre-wrap; }
.gradio-container th, .gradio-container th * { word-break: keep-all !important; overflow-wrap: normal !important; }
.totals { display: grid; grid-template-columns: repeat(auto-fit, minmax(8rem, 1fr)); gap: 0.6rem; margin: 0; }
.totals div { padding: 0.5rem 0.8rem; border: 1px solid var(--border-color-primary); border-radius: var(--radius-lg);
  background: var(--background-fill-primary); }
.totals dt { font-size: 0.8rem; color: var(--body-text-color-subdued); }
.totals dd { margin: 0; font-size: 1.15rem; font-weight: 600; font-variant-numeric: tabular-nums; }
body:not(.dark) button[role="tab"].selected { color: var(--primary-700) !important; }
.heading { margin: 0.9rem 0 0.4rem !important; font-size: 1rem; }
.js-plotly-plot .main-svg text:not(.heatmap-label text, .hoverlayer text) { fill: var(--body-text-color) !important; }
.explained { margin: 0.8rem 0 0; padding: 0 0.75rem; font-size: 0.9em; color: var(--body-text-color-subdued); }
.warnings { margin: 0.6rem 0 0; padding: 0; list-style: none; }
.facts { margin: 0.6rem 0 0; padding: 0; list-style: none; }
.facts li { margin-top: 0.4rem; padding: 0.3rem 0.75rem; border-left: 3px solid #0d9488; }
.warnings li { margin-top: 0.4rem; padding: 0.3rem 0.75rem; border-left: 3px solid #f59e0b; }
"""


def make_theme() -> gr.themes.Base:
    """Make a quiet theme with readable contrast.

    Its fonts are those of the reader's own system.
    """
    theme = gr.themes.Soft(primary_hue="teal", secondary_hue="teal", neutral_hue="slate", font=FONTS, font_mono=MONOSPACE)
    return theme.set(
        body_background_fill="*neutral_100",
        body_text_color_subdued="*neutral_600",
        block_info_text_color="*neutral_600",
        block_border_width="1px",
        checkbox_border_color="*neutral_500",
        checkbox_border_color_dark="*neutral_400",
        checkbox_label_background_fill_selected="*primary_700",
        checkbox_label_background_fill_selected_dark="*primary_700",
        block_title_background_fill="none",
        block_title_background_fill_dark="none",
        block_title_padding="0",
        block_title_text_color="*body_text_color",
        block_title_text_color_dark="*body_text_color",
        block_label_background_fill="none",
        block_label_background_fill_dark="none",
        block_label_text_color="*body_text_color",
        block_label_text_color_dark="*body_text_color",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_800",
        button_primary_background_fill_dark="*primary_700",
        button_primary_background_fill_hover_dark="*primary_600",
    )
