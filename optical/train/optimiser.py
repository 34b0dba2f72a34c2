"""AdamW with linear warm-up and linear decay; the learning rate depends only on the step."""

import torch
from torch import nn

from optical.train.config import TrainConfig
from optical.train.parts import rate_factors


def build_optimiser(encoder: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW over all parameters that are not frozen.

    Weights decay in matrices only (never in biases, norms or embeddings). Each group has a ``factor``, by which
    ``step.update`` multiplies the learning rate (see ``parts.rate_factors``).
    """
    embeddings = {
        id(parameter)
        for module in encoder.modules()
        if isinstance(module, nn.Embedding)
        for parameter in module.parameters()
    }
    factors = rate_factors(encoder, config)
    groups: dict[tuple[float, float], list[nn.Parameter]] = {(config.weight_decay, 1.0): [], (0.0, 1.0): []}
    for parameter in encoder.parameters():
        if parameter.requires_grad:
            decays = parameter.ndim > 1 and id(parameter) not in embeddings
            key = (config.weight_decay if decays else 0.0, factors.get(id(parameter), 1.0))
            groups.setdefault(key, []).append(parameter)
    return torch.optim.AdamW(
        [
            {"params": parameters, "weight_decay": decay, "factor": factor}
            for (decay, factor), parameters in groups.items()
            if parameters
        ],
        lr=config.learning_rate,
    )


def learning_rate(step: int, num_steps: int, config: TrainConfig) -> float:
    """The learning rate of update ``step`` (counted from 0): linear to the peak over the warm-up, then linear to 0.

    >>> config = TrainConfig(learning_rate=1.0, warmup_share=0.5)
    >>> [learning_rate(step, 4, config) for step in range(4)]
    [0.5, 1.0, 1.0, 0.5]
    """
    warmup = max(1, round(config.warmup_share * num_steps))
    rising = (step + 1) / warmup
    falling = (num_steps - step) / max(1, num_steps - warmup)
    return config.learning_rate * min(rising, falling, 1.0)
