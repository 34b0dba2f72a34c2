"""Where the training of a teacher begins: a small encoder with random weights, or a pretrained one with a new head."""

import torch
from tokenizers import Tokenizer
from torch import nn
from transformers import AutoModel, BertConfig

from optical.model.config import SCRATCH_POSITIONS, ScratchShape
from optical.model.encoder import Encoder
from optical.model.head import Dense, projection
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


def projected(encoder: Encoder, dim: int, seed: int) -> Encoder:
    """The same encoder with one more projection of its token embeddings, to ``dim`` dimensions.

    The projection is a random matrix with orthonormal rows, or columns where it widens, so that it keeps angles as far
    as the dimension allows (Saxe et al. 2014, arXiv:1312.6120).

    Args:
        encoder: of token embeddings; it shares its weights with the result.
        dim: of the new embeddings.
        seed: of the matrix.
    """
    weight = torch.empty(dim, encoder.dim)
    nn.init.orthogonal_(weight, generator=torch.Generator().manual_seed(seed))
    return Encoder(encoder.backbone, encoder.reader, nn.Sequential(*encoder.head, projection(weight)))
