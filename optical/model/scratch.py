"""A small encoder with random weights: where a teacher trained from scratch begins."""

import torch
from tokenizers import Tokenizer
from torch import nn
from transformers import AutoModel, BertConfig

from optical.model.config import SCRATCH_POSITIONS, ScratchShape
from optical.model.encoder import Encoder
from optical.model.head import Dense
from optical.model.text.reader import TextReader
from optical.model.text.special import BERT


def scratch_encoder(shape: ScratchShape, tokenizer: Tokenizer, seed: int) -> Encoder:
    """A small BERT with a projection, its weights drawn from ``seed``; no dropout.

    Args:
        shape: of the encoder.
        tokenizer: learned here, with the special tokens of BERT.
        seed: of the weights.
    """
    reader = TextReader(tokenizer, BERT)
    config = BertConfig(
        vocab_size=tokenizer.get_vocab_size(),
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        intermediate_size=4 * shape.hidden,
        max_position_embeddings=SCRATCH_POSITIONS,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
        pad_token_id=reader.frames["query"].pad,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        backbone = AutoModel.from_config(config)
        head = nn.Sequential(Dense(shape.hidden, shape.dim))
    return Encoder(backbone, reader, head)
