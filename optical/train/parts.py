"""The learning rate of each part of an encoder, as a factor of the rate of the step."""

from torch import nn

from optical.model.cutting import layers_of
from optical.model.encoder import Encoder
from optical.train.config import TrainConfig


def rate_factors(encoder: nn.Module, config: TrainConfig) -> dict[int, float]:
    """The factor of the learning rate of every parameter whose factor is not 1, by ``id``.

    ``embedding_rate`` and ``layer_decay`` both apply to word embeddings. A module that is no ``Encoder`` has no parts.

    Raises:
        DataError: ``layer_decay`` is not 1, and the layers of the backbone are not found.
    """
    if not isinstance(encoder, Encoder):
        return {}
    factors = _by_depth(encoder, config.layer_decay) if config.layer_decay != 1 else {}
    parts = ((encoder.backbone.get_input_embeddings(), config.embedding_rate), (encoder.head, config.head_rate))
    for part, rate in parts:
        for parameter in part.parameters():
            factors[id(parameter)] = factors.get(id(parameter), 1.0) * rate
    return {name: factor for name, factor in factors.items() if factor != 1}


def _by_depth(encoder: Encoder, decay: float) -> dict[int, float]:
    """Powers of ``decay``: what a backbone registers before its layers is below them, what comes after is above."""
    layers = layers_of(encoder.backbone)
    below_top = {
        id(parameter): len(layers) - 1 - number
        for number, layer in enumerate(layers)
        for parameter in layer.parameters()
    }
    depth = len(layers)
    factors = {}
    for parameter in encoder.backbone.parameters():
        if id(parameter) in below_top:
            depth = 0
        factors[id(parameter)] = decay ** below_top.get(id(parameter), depth)
    return factors
