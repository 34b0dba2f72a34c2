"""Passages to embeddings, streamed through Ray Data with a document encoder, which is the teacher's as a rule."""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import ray
import torch

from optical.cluster import encoder_pool
from optical.data.bitext.stream import ordered_and_quiet
from optical.model.encode import encode_texts
from optical.model.storage import load_encoder
from optical.resources import Resources

_PASSAGES_PER_CALL = 256
_PASSAGES_PER_FORWARD = 32


class PassageEncoder:
    """A Ray Data actor that holds the encoder and turns passages into fp16 embeddings."""

    def __init__(self, encoder: Path, length: int, threads: int, use_gpu: bool, pooled: bool = False) -> None:
        torch.set_num_threads(threads)
        self.encoder = load_encoder(encoder, pooled).eval().to("cuda" if use_gpu else "cpu")
        self.length = length

    def __call__(self, passages: pa.Table) -> pa.Table:
        """Replace ``text`` by ``length`` (vectors) and ``embeddings`` (fp16 bytes, row-major vectors by dim).

        A late-interaction encoder gives one vector for each token that scores, a pooled one a single vector.
        """
        texts = passages["text"].to_pylist()
        embeddings = encode_texts(self.encoder, texts, "document", self.length, _PASSAGES_PER_FORWARD, torch.float16)
        return pa.table(
            {
                "docid": passages["docid"],
                "length": pa.array([len(tokens) for tokens in embeddings], pa.int32()),
                "embeddings": pa.array([tokens.numpy().tobytes() for tokens in embeddings], pa.binary()),
            }
        )


def embed_passages(
    passages: Path, encoder: Path, length: int, resources: Resources, cores: int, pooled: bool = False
) -> Iterator[pa.Table]:
    """Tables of (docid, length, embeddings) in the order of the parquet file ``passages``.

    Args:
        passages: parquet file with ``docid`` and ``text``.
        encoder: encoder folder.
        length: longest passage in tokens.
        resources: one encoder actor is started per ``num_workers``.
        cores: physical cores of a worker machine, shared between its actors.
        pooled: one vector for each passage, as the folder's pooling makes it; else one for each token.
    """
    ordered_and_quiet()
    where, pool = encoder_pool(resources, cores)
    stream = ray.data.read_parquet(str(passages)).map_batches(
        PassageEncoder,
        fn_constructor_kwargs={"encoder": encoder, "length": length, "pooled": pooled, **where},
        batch_size=_PASSAGES_PER_CALL,
        batch_format="pyarrow",
        **pool,
    )
    yield from stream.iter_batches(batch_size=_PASSAGES_PER_CALL, batch_format="pyarrow")
