"""How many tokens a backbone can read. Without torch."""

from typing import Any

_COUNT_FROM_PADDING = {"roberta", "xlm-roberta", "xlm-roberta-xl", "camembert", "mpnet"}
"""Model types whose first position is the one after the padding token's id."""
_UNLIMITED = 1 << 20
"""For backbones without a table of positions."""


def positions(config: Any) -> int:
    """Longest sentence in tokens of a transformers configuration.

    >>> from types import SimpleNamespace
    >>> positions(SimpleNamespace(model_type="bert", max_position_embeddings=512, pad_token_id=0))
    512
    >>> positions(SimpleNamespace(model_type="xlm-roberta", max_position_embeddings=514, pad_token_id=1))
    512
    """
    longest = getattr(config, "max_position_embeddings", None)
    if not isinstance(longest, int) or longest <= 0:
        return _UNLIMITED
    skipped = config.pad_token_id + 1 if config.model_type in _COUNT_FROM_PADDING else 0
    return longest - skipped
