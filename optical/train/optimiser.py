"""AdamW with linear warm-up and linear decay; the learning rate depends only on the step."""

import torch
from torch import nn

from optical.train.config import TrainConfig


def build_optimiser(encoder: nn.Module, config: TrainConfig) -> torch.optim.AdamW:
    """AdamW over all parameters; weight decay on matrices only (never on biases, norms or embeddings)."""
    embeddings = {
        id(parameter)
        for module in encoder.modules()
        if isinstance(module, nn.Embedding)
        for parameter in module.parameters()
    }
    groups: dict[float, list[nn.Parameter]] = {config.weight_decay: [], 0.0: []}
    for parameter in encoder.parameters():
        decays = parameter.ndim > 1 and id(parameter) not in embeddings
        groups[config.weight_decay if decays else 0.0].append(parameter)
    return torch.optim.AdamW(
        [{"params": parameters, "weight_decay": decay} for decay, parameters in groups.items()],
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
