"""Mined negatives: for each question the passage of another one that looks most like an answer and is none.

BM25 (Robertson and Zaragoza 2009) ranks the passages of all pairs for each question; Karpukhin et al. 2020
(arXiv:2004.04906) train with one such passage of each question.

    negatives.parquet     negative: for each clean pair, in order, the number of the pair whose target is its negative;
                          null where there is none
"""

import logging
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from optical import artefacts

KIND = "negatives"
_FILE = "negatives.parquet"
_SCHEMA = pa.schema([("negative", pa.int64())])
_DEPTH = 30
"""Passages of a question that are looked at."""
_K1, _B = 0.9, 0.4


def mined_negatives(questions: Sequence[str], passages: Sequence[str]) -> np.ndarray:
    """For each pair the number of the first pair with the passage that is its negative, or -1 where there is none.

    This is the passage that BM25 ranks first for the question, among those that are not relevant as far as the pairs
    say. Those are relevant: a passage paired with the same question, and one that contains such a passage or is
    contained in it, which includes the answer itself where pairs have answers for passages. Texts are compared by
    their letters and digits alone. Equal scores are ranked by the pairs' order, so the same pairs give the same result.

    Args:
        questions: English.
        passages: as many, each of which answers its question.
    """
    keys, asked = [_key(passage) for passage in passages], [_key(question) for question in questions]
    first: dict[str, int] = {}
    for number, key in enumerate(keys):
        first.setdefault(key, number)
    relevant: dict[str, set[str]] = {}
    for question, key in zip(asked, keys, strict=True):
        relevant.setdefault(question, set()).add(key)
    different = np.array(list(first.values()))
    ranked = _ranked(questions, [passages[number] for number in different])
    return np.array(
        [
            next((pair for pair in different[best] if not _same(keys[pair], relevant[question])), -1)
            for question, best in zip(asked, ranked, strict=True)
        ],
        dtype=np.int64,
    )


def write_negatives(path: Path, made_from: str, questions: Sequence[str], passages: Sequence[str]) -> None:
    """Mine the negatives of pairs and commit them as an artefact, with the numbers of pairs and of negatives."""
    negatives = mined_negatives(questions, passages)
    info = {"pairs": len(negatives), "negatives": int((negatives >= 0).sum())}
    with artefacts.writing(path, KIND, made_from, info) as scratch:
        pq.write_table(pa.table([pa.array(negatives, mask=negatives < 0)], _SCHEMA), scratch / _FILE)


def read_negatives(folder: Path) -> np.ndarray:
    """For each pair the number of its negative's pair, or -1.

    Raises:
        DataError: there is no such artefact.
    """
    column = pq.read_table(artefacts.read(folder, KIND, verify=False).file(_FILE), schema=_SCHEMA)["negative"]
    return column.fill_null(-1).to_numpy()


def _ranked(questions: Sequence[str], passages: Sequence[str]) -> list[np.ndarray]:
    """For each question the numbers of the best passages that share a word with it, best first."""
    import bm25s

    logging.getLogger("bm25s").setLevel(logging.WARNING)  # its import asks for DEBUG
    words = {"stopwords": "en", "show_progress": False}
    retriever = bm25s.BM25(k1=_K1, b=_B)
    retriever.index(bm25s.tokenize(list(passages), **words), show_progress=False)
    asked = bm25s.tokenize(list(questions), return_ids=False, **words)
    depth = min(_DEPTH, len(passages))
    found, scores = retriever.retrieve(asked, k=depth, show_progress=False, backend_selection="numpy")
    ranked = []
    for numbers, values in zip(found, scores, strict=True):
        order = np.lexsort((numbers, -values))
        ranked.append(numbers[order][values[order] > 0])
    return ranked


def _key(text: str) -> str:
    """The letters and digits of a text.

    >>> _key("The  Nile , a River.") == _key("the nile, a river")
    True
    """
    return re.sub(r"[\W_]+", "", text.casefold())


def _same(key: str, others: set[str]) -> bool:
    return any(key in other or other in key for other in others)
