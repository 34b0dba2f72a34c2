"""The list of transformer layers of any backbone: finding it, and keeping only its first layers."""

from torch import nn
from transformers import PretrainedConfig, PreTrainedModel

from optical.errors import DataError, require

_PER_LAYER = "layer_types"
"""Ending of the configuration's lists that have one entry per layer."""


def layers_of(backbone: PreTrainedModel) -> nn.ModuleList:
    """The transformer layers: the outermost ``ModuleList`` with as many entries as the configuration has layers.

    Raises:
        DataError: there is none (layers that share their weights, for example), or more than one.
    """
    config = backbone.config
    found = {
        name: module
        for name, module in backbone.named_modules()
        if isinstance(module, nn.ModuleList) and len(module) == config.num_hidden_layers
    }
    outer = [name for name in found if not any(name.startswith(f"{other}.") for other in found)]
    if len(outer) != 1:
        named = f"{len(outer)} lists ({', '.join(outer)})" if outer else "no list"
        what = f"{named} of {config.num_hidden_layers} layers among its modules, and exactly one is needed"
        raise DataError(f"model type {config.model_type}", what, "choose another backbone, or keep all its layers")
    return found[outer[0]]


def require_layers(config: PretrainedConfig, count: int) -> None:
    """Check that a backbone has at least ``count`` layers; its configuration suffices.

    Raises:
        UserError: it has fewer.
    """
    there = config.num_hidden_layers
    what = f"is {count}, and {config.model_type} has {there} layers"
    require(count <= there, "student.layers", what, f"set at most {there}, or 0 for all")


def keep_layers(backbone: PreTrainedModel, count: int) -> None:
    """Delete all transformer layers after the first ``count``; 0 keeps all.

    The configuration follows, with its lists of one entry per layer (ModernBERT has ``layer_types``), so that a
    saved folder loads.

    Raises:
        UserError: there are fewer layers.
        DataError: the layers are not found.
    """
    if not count:
        return
    config = backbone.config
    require_layers(config, count)
    del layers_of(backbone)[count:]
    for name, value in list(vars(config).items()):
        if name.endswith(_PER_LAYER) and value is not None:
            setattr(config, name, value[:count])
    config.num_hidden_layers = count
