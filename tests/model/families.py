"""Tiny backbones of four families that differ in layers, positions and how they look words up."""

from collections.abc import Callable

import torch
from transformers import (
    BertConfig,
    BertModel,
    DebertaV2Config,
    DebertaV2Model,
    ModernBertConfig,
    ModernBertModel,
    PreTrainedModel,
    XLMRobertaConfig,
    XLMRobertaModel,
)

_SIZES = {"hidden_size": 16, "num_attention_heads": 2, "intermediate_size": 24}
_NO_DROPOUT = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def bert(words: int, layers: int) -> PreTrainedModel:
    config = BertConfig(vocab_size=words, num_hidden_layers=layers, pad_token_id=0, **_SIZES, **_NO_DROPOUT)
    return BertModel(config, add_pooling_layer=False)


def xlm_roberta(words: int, layers: int) -> PreTrainedModel:
    config = XLMRobertaConfig(vocab_size=words, num_hidden_layers=layers, pad_token_id=1, **_SIZES, **_NO_DROPOUT)
    return XLMRobertaModel(config, add_pooling_layer=False)


def modernbert(words: int, layers: int) -> PreTrainedModel:
    special = {name: 0 for name in ("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id")}
    return ModernBertModel(ModernBertConfig(vocab_size=words, num_hidden_layers=layers, **special, **_SIZES))


def deberta(words: int, layers: int) -> PreTrainedModel:
    relative = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"], "position_buckets": 8}
    config = {"vocab_size": words, "num_hidden_layers": layers, "pad_token_id": 0, **relative, **_SIZES, **_NO_DROPOUT}
    return DebertaV2Model(DebertaV2Config(**config))


FAMILIES = (bert, xlm_roberta, modernbert, deberta)


def drawn(family: Callable[[int, int], PreTrainedModel], words: int, layers: int = 2) -> PreTrainedModel:
    """A backbone of a family, its weights drawn from seed 0."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return family(words, layers)
