"""Folders of every format give the vectors that sentence-transformers computes, bit for bit."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from optical.model.encode import encode_texts
from optical.model.encoder import Encoder
from optical.model.maxsim import maxsim
from optical.model.storage import load_encoder
from optical.model.text.roles import ROLES
from tests.model.formats import folders
from tests.model.formats.folders import LONG, POSITIONS, TEXTS, pooled, pylate, stanford

peers = pytest.importorskip("sentence_transformers", reason="part of the extra optical-clir[peers]")
pytestmark = pytest.mark.filterwarnings("default")
DOCUMENTS = [*TEXTS[:2], LONG]
QUERIES = ["Hello, world?", "river (school)", LONG]


def theirs(folder: Path) -> object:
    return peers.MultiVectorEncoder(str(folder), device="cpu", local_files_only=True)


def check_equal(encoder: Encoder, other: object, document_length: int = POSITIONS, query_length: int = POSITIONS):
    """Queries and documents at batch 1, to the bit; MaxSim of all pairs, to 1e-6."""
    found = {}
    for role, texts, length in (("query", QUERIES, query_length), ("document", DOCUMENTS, document_length)):
        encode = other.encode_query if role == "query" else other.encode_document
        for text in texts:
            [ours] = encode_texts(encoder, [text], role, length)
            vectors = encode([text], convert_to_numpy=True)[0]
            assert ours.shape == vectors.shape, (role, text)
            assert np.array_equal(ours.numpy(), vectors), (role, text, np.abs(ours.numpy() - vectors).max())
            found.setdefault(role, []).append(ours)
    check_scores(found, other)


def check_scores(found: dict[str, list[torch.Tensor]], other: object):
    padded, masks = zip(*(stacked(found[role]) for role in ROLES), strict=True)
    scores = maxsim(padded[0], masks[0], padded[1], masks[1])
    torch.testing.assert_close(scores, other.similarity(*(found[role] for role in ROLES)), atol=1e-5, rtol=1e-6)


def stacked(rows: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    lengths = torch.tensor([len(row) for row in rows])
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), torch.arange(int(lengths.max())) < lengths[:, None]


FOLDERS = {
    "stanford bert": partial(stanford, doc_maxlen=30),
    "stanford bert, attending, all score": partial(stanford, attend_to_mask_tokens=True, mask_punctuation=False),
    "stanford xlm-r": partial(stanford, maker=folders.xlm_roberta, prefix="roberta", mask_punctuation=False),
    "pylate bert": pylate,
    "pylate bert, markers of the vocabulary": partial(pylate, markers=("[unused0]", "[unused1]")),
    "pylate bert, attending": partial(pylate, attend_to_expansion_tokens=True, skiplist_words=[]),
    "pylate bert, nothing filled": partial(pylate, do_query_expansion=False, query_length=20),
    "pylate bert, prompts": partial(pylate, prompts={"query": "query: ", "document": "passage: "}),
    "pylate xlm-r": partial(pylate, maker=folders.xlm_roberta),
    "pylate xlm-r, markers of the vocabulary": partial(
        pylate, maker=folders.xlm_roberta, markers=("[unused0]", "[unused1]")
    ),
    "pylate modernbert": partial(pylate, maker=folders.modernbert),
    "pylate roberta": partial(pylate, maker=folders.roberta),
    "pylate deberta": partial(pylate, maker=folders.deberta),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_gives_their_vectors(tmp_path, name):
    folder = FOLDERS[name](tmp_path)
    encoder, other = load_encoder(folder).eval(), theirs(folder)
    settings = encoder.reader.roles
    check_equal(encoder, other, other[0].document_length or POSITIONS, settings.query.expand_to or 20)
