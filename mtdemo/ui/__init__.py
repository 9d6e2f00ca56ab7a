"""The page: one file per tab. Only here is gradio or plotly known, and torch is not."""
