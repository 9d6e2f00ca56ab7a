"""Where models compute, and in what precision. What needs a GPU runs where there is one."""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtdemo.analysis.comparison import compare
from mtdemo.config import EMBEDDED_CHECKPOINT, Settings
from mtdemo.data.marked_text import read_sample
from mtdemo.errors import SettingsError
from mtdemo.inference import forward, packed, placement
from mtdemo.inference.packed import can_pack
from mtdemo.inference.pipeline import analyze_batches, windows_of
from mtdemo.inference.placement import choose_device, place
from mtdemo.laboratory.dataset import LabDataset
from mtdemo.laboratory.experiment import Experiment
from mtdemo.laboratory.outcome import ExperimentSettings
from mtdemo.models.checkpoints import load_directory
from mtdemo.models.loaded import LoadedModel, mask_pooling
from mtdemo.models.multitask import MultiTaskModel
from mtdemo.planning.training_plan import TrainingPlan
from mtdemo.results import SentenceAnalysis
from mtdemo.serving.service import ModelService
from tests.repositories import make_classifier

Write = Callable[..., Path]
TEXTS = ("the cat sat on the mat .", "john sings", "paris " * 90)
GPU = next((device for device, module in (("cuda", torch.cuda), ("mps", torch.backends.mps)) if module.is_available()), "")

NO_GPU = "torch finds no GPU here, so what one says is unproven"


def test_a_gpu_is_chosen_where_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for has_cuda, has_mps, chosen in ((True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda has=has_cuda: has)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda has=has_mps: has)
        assert choose_device("auto") == chosen
        assert choose_device("cpu") == "cpu"
    with pytest.raises(SettingsError, match="MTDEMO_DEVICE is cuda, but torch finds none here"):
        choose_device("cuda")


def test_auto_stays_on_the_cpu_on_zero_gpu_where_cuda_only_looks_available(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    assert choose_device("auto") == "cpu"
    with pytest.raises(SettingsError, match="lends its GPU to single functions"):
        choose_device("cuda")


def test_a_setting_that_is_no_device_or_precision_is_refused() -> None:
    with pytest.raises(SettingsError, match="device is one of auto, cpu, cuda, mps, not 'gpu'"):
        Settings(device="gpu")
    with pytest.raises(SettingsError, match="dtype is one of float32, bfloat16, float16, int8, not 'int4'"):
        Settings(dtype="int4")


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_only_the_backbone_is_less_precise_and_results_are_float32(dtype: str, tiny: Write) -> None:
    service = ModelService(Settings(checkpoint=str(tiny()), dtype=dtype))
    answers = service.analyze(TEXTS)
    assert answers.model.place == f"cpu, {dtype}"
    assert {weights.dtype for weights in service.get_model().model.ner_head.parameters()} == {torch.float32}
    exact = ModelService(Settings(checkpoint=str(tiny()))).analyze(TEXTS)
    assert exact.model.place == "cpu"
    for one, other in zip(answers, exact, strict=True):
        assert one.embedding.dtype == np.float32
        assert np.linalg.norm(one.embedding - other.embedding) < 0.02 * other.norm
        assert sum(one.probabilities.values()) == pytest.approx(1, abs=1e-6)


@pytest.mark.model
def test_the_error_of_bfloat16_is_what_the_documents_state(embedded: LoadedModel, sentences: list[str]) -> None:
    rough = place(load_directory(EMBEDDED_CHECKPOINT), "cpu", "bfloat16")
    found = compare(embedded, rough, sentences)
    assert 0 < found.embedding < 0.04
    assert found.probability < 0.1


class Full(torch.nn.Module):
    """A backbone whose device has no memory left until it is the CPU."""

    def __init__(self, backbone: Any) -> None:
        super().__init__()
        self.inner, self.config, self.is_full = backbone, backbone.config, True

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        if self.is_full:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self.inner(*args, **kwargs)


def test_where_a_gpu_is_full_the_cpu_goes_on(
    tiny: Write, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(forward, "can_pack", lambda _: False)
    monkeypatch.setattr(placement, "can_reorder", lambda: False)  # weights on a GPU are not
    expected = ModelService(Settings(checkpoint=str(tiny()))).analyze(TEXTS)
    service = ModelService(Settings(checkpoint=str(tiny())))
    loaded = service.get_model()
    loaded.model.backbone = full = Full(loaded.model.backbone)
    moved: list[str] = []

    def leave(model: Any) -> bool:
        moved.append(model.info.id)
        full.is_full = False
        return len(moved) == 1

    monkeypatch.setattr(forward, "leave_gpu", leave)
    assert [each.as_dict() for each in service.analyze(TEXTS)] == [each.as_dict() for each in expected]
    assert len(moved) == 1
    monkeypatch.undo()
    assert not placement.leave_gpu(loaded), "it is on the CPU"
    assert not placement.leave_gpu("another library's model")
    monkeypatch.setattr(MultiTaskModel, "device", torch.device("cuda"))
    with caplog.at_level(logging.WARNING):
        assert placement.leave_gpu(loaded)
    assert "memory of the GPU is full" in caplog.text


def test_a_shortage_on_the_cpu_is_no_reason_to_try_again(tiny: Write) -> None:
    loaded = load_directory(tiny())
    loaded.model.backbone = Full(loaded.model.backbone)
    with pytest.raises(torch.OutOfMemoryError):
        forward.run_windows(loaded, loaded.encode(["the cat"], 16)[0].windows, 1)


@pytest.mark.model
@pytest.mark.parametrize("name", ["Bert", "Roberta", "DistilBert", "ModernBert", "DebertaV2", "Electra", "Albert"])
def test_nothing_is_left_on_the_cpu_where_a_model_is_elsewhere(name: str, tmp_path: Path) -> None:
    """On the device `meta`, which has shapes alone and refuses to be mixed with the CPU."""
    loaded = load_directory(make_classifier(tmp_path, name, "ForSequenceClassification", ["no", "yes"]))
    windows = sorted(windows_of(loaded.encode(TEXTS, 32)), key=lambda window: len(window.input_ids))
    loaded.model.to("meta")
    with torch.inference_mode():
        if can_pack(loaded):
            _, states = packed.compute_hidden_states(loaded, windows)
            output = loaded.model.apply_heads(states, torch.ones(states.shape[:2]))
        else:
            output = loaded.model(**loaded.pad(windows), pooling_mask=mask_pooling(windows))
    assert {values.device.type for values in output.values()} == {"meta"}
    assert {values.dtype for values in output.values()} == {torch.float32}


@pytest.mark.gpu
@pytest.mark.skipif(not GPU, reason=NO_GPU)
def test_a_gpu_says_what_the_cpu_says(embedded: LoadedModel, sentences: list[str]) -> None:
    assert not torch.backends.cuda.matmul.allow_tf32
    moved = place(load_directory(EMBEDDED_CHECKPOINT), "auto")
    assert moved.place == GPU
    texts = [f"{text} {number}" for number in range(3) for text in sentences][:500]
    for one, other in zip(*(analyze_batches(model, texts, 128) for model in (embedded, moved)), strict=True):
        assert np.abs(one.embedding - other.embedding).max() < 1e-4
        assert dict(other.probabilities) == pytest.approx(dict(one.probabilities), abs=1e-4)
        assert one.entity_spans == other.entity_spans


@pytest.mark.gpu
@pytest.mark.skipif(not GPU, reason=NO_GPU)
def test_throughput_beside_sentence_transformers_is_reported(
    upstream: Path, sentences: list[str], record_property: Callable[[str, object], None]
) -> None:
    """Both read the same sentences in turn, the cache off; the median of the ratios goes into the report (`--junitxml`)."""
    from sentence_transformers import SentenceTransformer

    texts = [f"{text} {number}" for number in range(10) for text in sentences]
    theirs = SentenceTransformer(str(upstream), device=GPU)
    ours = ModelService(Settings(checkpoint=str(upstream), max_cache_bytes=0, device=GPU, max_length=256))
    ways: tuple[Callable[[], Any], ...] = (
        lambda: [answer.embedding for answer in ours.analyze_stream(texts) if isinstance(answer, SentenceAnalysis)],
        lambda: theirs.encode(texts, show_progress_bar=False),
    )
    ratios = []
    for _ in range(5):
        seconds = []
        for read in ways:
            start = time.perf_counter()
            read()
            seconds.append(time.perf_counter() - start)
        ratios.append(seconds[1] / seconds[0])
    record_property("sentences a second beside sentence-transformers", round(statistics.median(ratios), 2))
    np.testing.assert_allclose(*(np.stack(list(read())) for read in ways), atol=1e-4)


@pytest.mark.gpu
@pytest.mark.lab
@pytest.mark.skipif(not GPU, reason=NO_GPU)
def test_the_laboratory_trains_on_a_gpu() -> None:
    service = ModelService(Settings(device=GPU))
    plan = TrainingPlan(("embeddings", "ner_head"))
    experiment = Experiment(service.get_model(), LabDataset.from_sample(read_sample()), ExperimentSettings(plan, 20))
    assert list(experiment.run())
    assert experiment.outcome is not None
    assert experiment.trained is not None and experiment.trained.place == GPU
    assert experiment.outcome.movement["embeddings"] == experiment.outcome.movement["ner_head"] == 0.0
    assert experiment.outcome.movement["layer_0"] > 0.0
    assert experiment.outcome.receipt is not None
    experiment.outcome.receipt.check()
