"""Declaration of a model's parts: which parameter belongs to which, read off the names of modules."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from mtdemo.models.parts import HEAD_NAMES, ParameterSpec, Part, PartKind, Parts

# Where backbones keep their stack of layers, and which of their modules turn ids into vectors. Rows for bert, roberta
# and electra; distilbert; modernbert. A parameter that matches no row belongs to "rest of the backbone".
_LAYER_PATHS = ("encoder.layer", "transformer.layer", "layers")
_EMBEDDING_MODULES = ("embeddings", "embeddings_project")


def declare_parts(model: nn.Module, n_layers: int) -> Parts:
    """Group the parameters of a model into its parts.

    A BERT with two layers and two heads: `backbone.embeddings.LayerNorm.bias -> embeddings`,
    `backbone.encoder.layer.1.output.dense.weight -> layer_1`, `ner_head.linear.bias -> ner_head`.

    Args:
        model: with the backbone as `backbone`; its other children are heads, or belong to the rest of the backbone.
        n_layers: encoder layers that the configuration promises.

    Returns:
        Parts with at least one parameter. A backbone whose layers are not found is `embeddings` and `backbone_rest`.
    """
    # All parts in their order first; parameters come in the order of their modules, which may be another.
    layers = find_layers(model, n_layers)
    prefix_of_layers = f"{layers}." if layers else None
    grouped: dict[tuple[str, PartKind], list[ParameterSpec]] = {
        ("embeddings", PartKind.EMBEDDINGS): [],
        **{(f"layer_{index}", PartKind.LAYER): [] for index in range(n_layers if prefix_of_layers else 0)},
        ("backbone_rest", PartKind.BACKBONE_REST): [],
        **{(head, PartKind.HEAD): [] for head in HEAD_NAMES},
    }
    for name, parameter, decays in _parameters_with_decay(model):
        grouped[_part_of(name, prefix_of_layers)].append(ParameterSpec(name, tuple(parameter.shape), decays))
    return tuple(Part(name, kind, tuple(specs)) for (name, kind), specs in grouped.items() if specs)


def find_layers(model: nn.Module, n_layers: int) -> str | None:
    """Find the place of the stack of layers.

    None where there is none.
    """
    for path in (f"backbone.{path}" for path in _LAYER_PATHS):
        try:
            found = model.get_submodule(path)
        except AttributeError:
            continue
        if isinstance(found, nn.ModuleList) and len(found) == n_layers:
            return path
    return None


def _parameters_with_decay(model: nn.Module) -> Iterator[tuple[str, nn.Parameter, bool]]:
    """List every parameter once, and whether weight decay applies."""
    normalisation = {
        f"{module_name}.{name}"
        for module_name, module in model.named_modules()
        if "norm" in type(module).__name__.lower()
        for name, _ in module.named_parameters(recurse=False)
    }
    for name, parameter in model.named_parameters():
        yield name, parameter, not (name.endswith("bias") or name in normalisation)


def _part_of(name: str, prefix_of_layers: str | None) -> tuple[str, PartKind]:
    """Find the part of a parameter by its full name."""
    root, _, rest = name.partition(".")
    if root in HEAD_NAMES:
        return root, PartKind.HEAD
    if root != "backbone":  # the dense layers of an embedding are shared by all that read it
        return "backbone_rest", PartKind.BACKBONE_REST
    if prefix_of_layers and name.startswith(prefix_of_layers):
        index = name[len(prefix_of_layers) :].partition(".")[0]
        return f"layer_{index}", PartKind.LAYER
    if rest.partition(".")[0] in _EMBEDDING_MODULES:
        return "embeddings", PartKind.EMBEDDINGS
    return "backbone_rest", PartKind.BACKBONE_REST
