"""Additions of a plan to a model: a new output layer and low-rank adapters, and how adapters become part of it.

The adapters are those of `peft`, which stand in the model in place of the linear layers that they adapt. Counting and
freezing see them as parameters of the layer that they are in.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from mtdemo.errors import UnknownNameError
from mtdemo.models.parts import Part, PartKind, Parts
from mtdemo.planning.freezing import unfrozen_parts
from mtdemo.planning.scenarios import ADAPTERS
from mtdemo.planning.training_plan import AdapterSettings, TrainingPlan
from mtdemo.runtime import import_lock

if TYPE_CHECKING:
    from mtdemo.models.configuration import MultiTaskConfig
    from mtdemo.models.multitask import MultiTaskModel


def extend_model(model: MultiTaskModel, plan: TrainingPlan) -> None:
    """Add the output layer and adapters of a plan.

    A new output layer takes the place of an old one; adapters are added to the layers that train, and change nothing that
    the model says before they are trained. New weights follow from torch's seed.

    Args:
        model: which is changed.
        plan: what to add.

    Raises:
        UnknownNameError: the plan names a part that the model does not have, or targets that its layers do not have.
    """
    if plan.new_output_layer:
        model.add_output_layer(model.config.class_labels)
    if plan.selection == ADAPTERS:
        parts = model.parts()
        trained = unfrozen_parts(parts, plan.frozen)
        layers = [part for part in parts if part.kind is PartKind.LAYER and part.name in trained]
        if layers:
            _add_adapters(model, layers, plan.adapters)


def extended_parts(config: MultiTaskConfig, plan: TrainingPlan) -> Parts:
    """Declare the parts of a model with the plan's additions.

    Args:
        config: of the model, which needs no weights.
        plan: what to add.

    Raises:
        UnknownNameError: as `extend_model`.
    """
    import torch

    from mtdemo.models.checkpoints import model_without_weights

    model = model_without_weights(copy.deepcopy(config))
    with torch.device("meta"):  # where nothing is drawn from torch's random numbers, which a run may be using
        extend_model(model, plan)
    return model.parts()


def target_names(part: Part, targets: Sequence[str]) -> list[str]:
    """Name the linear layers that are called like targets.

    Args:
        part: a layer of the backbone.
        targets: last names, such as `query`; `dense` is that of three layers in a BERT.

    Returns:
        Full names, lowest first.
    """
    return [name for name in _linear_layers(part) if name.rpartition(".")[2] in targets]


def merge_adapters(model: MultiTaskModel) -> None:
    """Add each adapter to the matrix that it adapts.

    The adapter itself is taken away, so that the model is an ordinary one again. Its answers stay what they were, up to
    rounding.
    """
    if not any(parameter.is_adapter for part in model.parts() for parameter in part.parameters):
        return
    from peft.tuners.lora import LoraLayer

    for name, module in list(model.named_modules()):
        if isinstance(module, LoraLayer):
            module.merge(safe_merge=True)
            model.set_submodule(name, module.get_base_layer())
    del model.backbone.peft_config


def _add_adapters(model: MultiTaskModel, layers: Sequence[Part], settings: AdapterSettings) -> None:
    names = [name for part in layers for name in target_names(part, settings.targets)]
    missing = [target for target in settings.targets if not any(target_names(part, [target]) for part in layers)]
    if missing:  # also beside others that match: an adapter that is silently left out would not be missed
        known = dict.fromkeys(name.rpartition(".")[2] for name in _linear_layers(layers[0]))
        raise UnknownNameError(
            f"No linear layer of this backbone is called {' or '.join(missing)}; there are {', '.join(known)}."
        )
    with import_lock:
        from peft import LoraConfig, inject_adapter_in_model

    prefix = "backbone."
    targets = [name.removeprefix(prefix) for name in names]
    config = LoraConfig(r=settings.rank, lora_alpha=settings.alpha, lora_dropout=0.0, target_modules=targets)
    inject_adapter_in_model(config, model.backbone)


def _linear_layers(part: Part) -> Iterator[str]:
    """Name the modules whose weight is a matrix."""
    for parameter in part.parameters:
        if parameter.name.endswith(".weight") and len(parameter.shape) == 2 and not parameter.is_adapter:
            yield parameter.name.removesuffix(".weight").removesuffix(".base_layer")
