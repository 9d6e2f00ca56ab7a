"""Plans as code: a short, complete PyTorch script that makes the same optimizer groups on a model from transformers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import takewhile

from mtdemo.config import EMBEDDED
from mtdemo.models.parts import PartKind
from mtdemo.planning.freezing import FreezingPlan, PartPlan
from mtdemo.planning.optimizer import OptimizerPlan
from mtdemo.planning.scenarios import ADAPTERS, BIASES, WEIGHTS
from mtdemo.planning.training_plan import TrainingPlan

_SCRIPT = """\
import torch
from torch import nn
{load}
model = nn.ModuleDict(
    {{
{modules}
    }}
)
{adapters}
# What shares a learning rate: beginnings of parameter names, and the rate. What is not named stays frozen.
blocks = [
{blocks}
]


def decays(name):
    return not (name.endswith("bias") or "norm" in name.lower())


def trains(name):
    return {trains}


model.requires_grad_(False)
groups = []
for beginnings, rate in blocks:
    for with_decay in (True, False):
        parameters = [
            parameter.requires_grad_()
            for name, parameter in model.named_parameters()
            if name.startswith(beginnings) and trains(name) and decays(name) == with_decay
        ]
        if parameters:
            groups.append({{"params": parameters, "lr": rate, "weight_decay": {weight_decay:g} if with_decay else 0.0}})
optimizer = torch.optim.AdamW(groups)
"""

_ADAPTERS = """
from peft import LoraConfig, inject_adapter_in_model

targets = [
{targets}
]
inject_adapter_in_model(LoraConfig(r={rank}, lora_alpha={alpha}, target_modules=targets), model["backbone"])
"""

_GRADUAL = """
# Gradual unfreezing: from which share of the run on each part trains. Call this before every step.
starts = {{
{starts}
}}


def unfreeze(share_done):
    for beginning, start in starts.items():
        for name, parameter in model.named_parameters():
            if name.startswith(beginning) and trains(name):
                parameter.requires_grad_(start <= share_done)


unfreeze(0.0)
"""

_TRAINS = {
    WEIGHTS: "True",
    BIASES: 'not name.startswith("backbone.") or name.endswith("bias")',
    ADAPTERS: 'not name.startswith("backbone.") or ".lora_" in name',
}


def write_script(
    backbone: str, checkpoint: str, freezing: FreezingPlan, optimizer: OptimizerPlan, plan: TrainingPlan
) -> str:
    """Write the script of a plan.

    Args:
        backbone: `embedded`, or an id of the hub whose model is a BERT.
        checkpoint: the directory of the embedded checkpoint.
        freezing: what trains.
        optimizer: the groups that this makes; where there are none, the script says so.
        plan: of which freezing and optimizer are made.
    """
    if not optimizer.groups:
        return "# Nothing trains in this plan, so there is nothing to optimize.\n"
    weight_decay = max(group.weight_decay for group in optimizer.groups)
    if backbone == EMBEDDED:
        load = f"\nfrom mtdemo import MultiTaskModel\n\nloaded = MultiTaskModel.from_pretrained({json.dumps(checkpoint)})\n"
        of_backbone = "loaded.backbone"
    else:
        load = "from transformers import AutoModel\n"
        of_backbone = f'AutoModel.from_pretrained("{backbone}", add_pooling_layer=False)'
    return _SCRIPT.format(
        load=load,
        modules="\n".join(_modules(freezing, of_backbone, backbone == EMBEDDED, plan.new_output_layer)),
        blocks="\n".join(_blocks(freezing, optimizer)),
        weight_decay=weight_decay,
        adapters=_adapters(freezing, plan),
        trains=_TRAINS[plan.selection],
    ) + _gradual(freezing, plan)


def _adapters(freezing: FreezingPlan, plan: TrainingPlan) -> str:
    modules = [p.name.partition(".lora_A")[0] for part in freezing.parts for p in part.trainable if ".lora_A." in p.name]
    if not modules:
        return ""
    targets = "\n".join(f'    "{module.removeprefix("backbone.")}",' for module in modules)
    return _ADAPTERS.format(targets=targets, rank=plan.adapters.rank, alpha=plan.adapters.alpha)


def _gradual(freezing: FreezingPlan, plan: TrainingPlan) -> str:
    if not plan.gradual:
        return ""
    starts = plan.unfreeze_schedule(freezing)
    rows = [
        f'    "{beginning}": {starts[part.name]!r},'
        for part in freezing.parts
        if part.name in starts
        for beginning in _beginnings(part, freezing)
    ]
    return _GRADUAL.format(starts="\n".join(rows))


def _modules(freezing: FreezingPlan, of_backbone: str, has_heads: bool, new_output_layer: bool) -> Iterator[str]:
    yield f'        "backbone": {of_backbone},'
    for plan in freezing.parts:
        head = plan.part
        if head.kind is not PartKind.HEAD:
            continue
        if has_heads and not (head.name == "output_layer" and new_output_layer):
            yield f'        "{head.name}": loaded.{head.name},'
            continue
        shapes = {p.name.split(".")[-2]: p.shape for p in head.parameters if len(p.shape) == 2}
        layers = ", ".join(f'"{name}": nn.Linear({n_in}, {n_out})' for name, (n_out, n_in) in shapes.items())
        yield f'        "{head.name}": nn.ModuleDict({{{layers}}}),'


def _blocks(freezing: FreezingPlan, optimizer: OptimizerPlan) -> Iterator[str]:
    for block in dict.fromkeys(group.block for group in optimizer.groups):
        groups = [group for group in optimizer.groups if group.block == block]
        members = {parameter.name for group in groups for parameter in group.parameters}
        parts = [part for part in freezing.parts if any(p.name in members for p in part.trainable)]
        beginnings = ", ".join(f'"{beginning}"' for part in parts for beginning in _beginnings(part, freezing))
        if all(part in parts for part in freezing.parts if part.kind.in_backbone):
            beginnings = '"backbone."'
        yield f"    (({beginnings},), {groups[0].learning_rate!r}),"


def _beginnings(plan: PartPlan, freezing: FreezingPlan) -> tuple[str, ...]:
    """Find the common beginning of a part's parameter names.

    It is `backbone.encoder.layer.0.`, for instance. Where another part has a name that begins so, too, all names of
    the part are given instead.
    """
    names = tuple(parameter.name for parameter in plan.part.parameters)
    words = zip(*(name.split(".")[:-1] for name in names), strict=False)
    beginning = ".".join((*(of_all[0] for of_all in takewhile(lambda of_all: len(set(of_all)) == 1, words)), ""))
    others = (parameter.name for other in freezing.parts if other.name != plan.name for parameter in other.part.parameters)
    return names if any(name.startswith(beginning) for name in others) else (beginning,)
