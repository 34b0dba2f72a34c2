"""A small encoder with random weights: where a teacher trained from scratch begins."""

import torch
from tokenizers import Tokenizer
from torch import nn
from transformers import AutoModel, BertConfig

from optical.model.config import SCRATCH_POSITIONS, ScratchShape
from optical.model.encoder import Encoder
from optical.model.vocabulary.tokenizer import PAD


def scratch_encoder(shape: ScratchShape, tokenizer: Tokenizer, seed: int) -> Encoder:
    """A small BERT with a projection, its weights drawn from ``seed``; no dropout."""
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.hidden,
        max_position_embeddings=SCRATCH_POSITIONS,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=tokenizer.token_to_id(PAD),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        backbone = AutoModel.from_config(config)
        projection = nn.Linear(shape.hidden, shape.dim, bias=False)
    return Encoder(backbone, tokenizer, projection)
