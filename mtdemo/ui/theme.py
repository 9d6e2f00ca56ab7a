"""How the page looks, in light and dark. No font or style is fetched from anywhere."""

from __future__ import annotations

from pathlib import Path

import gradio as gr

FONTS = ("system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif")
MONOSPACE = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")

CSS = "".join((Path(__file__).parent / name).read_text(encoding="utf-8") for name in ("page.css", "plan.css"))


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
        block_radius="12px",
        block_background_fill_dark="#111a2b",
        block_border_color_dark="#26344c",
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
        button_primary_background_fill_hover_dark="*primary_700",
        button_secondary_background_fill_hover_dark="*neutral_700",
    )
