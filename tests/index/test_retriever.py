"""The retriever: query texts in, a run out."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from optical.errors import DataError
from optical.index import retriever as retriever_module
from optical.index.embeddings import open_embeddings, write_embeddings
from optical.index.kinds import exact, faiss
from optical.index.retriever import Retriever
from optical.model.encode import encode_texts

QIDS = ["q1", "q2", "q3", "q4"]


@pytest.fixture
def ranked(queries, encoder, monkeypatch):
    """Runs a searcher with the given query embeddings: each text is the number of one."""
    monkeypatch.setattr(
        retriever_module,
        "encode_texts",
        lambda encoder, texts, role, length, at_once: [torch.from_numpy(queries[int(text)]) for text in texts],
    )

    def run(searcher, depth: int = 50, texts: str = "0123", queries_at_once: int = 32, **options):
        return Retriever(encoder, 8, searcher, depth, queries_at_once).run(QIDS[: len(texts)], list(texts), **options)

    return run


@pytest.mark.parametrize("queries_at_once", [1, 2, 32])
def test_the_run_is_the_brute_force_ranking(written, passages, brute_force, ranked, queries_at_once):
    done: list[int] = []
    run = ranked(exact.Config().open(written), queries_at_once=queries_at_once, advance=done.append)
    for row, qid in enumerate(QIDS):
        assert run.docids(qid) == tuple(f"d{number}" for number in np.argsort(-brute_force[row]))
    assert sum(done) == 4
    assert len(run) == 4 * len(passages)
    assert next(iter(run)).score == pytest.approx(brute_force[0].max(), abs=1e-5)


def test_a_passage_finds_itself(written, passages):
    scores = exact.Config().open(written).scores([passages[2].astype(np.float32)])
    assert scores[0].argmax() == 2


def test_depth_keeps_the_best(written, ranked):
    searcher = exact.Config().open(written)
    assert ranked(searcher, 3, "0").docids("q1") == ranked(searcher, 50, "0").docids("q1")[:3]


def test_a_passage_that_is_not_found_is_not_ranked(written, passages, ranked, tmp_path):
    whole, one = faiss.Config(factory="Flat", tokens_per_probe=44), faiss.Config(factory="Flat", tokens_per_probe=1)
    whole.build(written, tmp_path)
    everything, exactly = ranked(whole.open(written, tmp_path)), ranked(exact.Config().open(written))
    assert [everything.docids(qid) for qid in QIDS] == [exactly.docids(qid) for qid in QIDS]
    assert 0 < len(ranked(one.open(written, tmp_path)).docids("q2")) < len(passages)


def test_a_query_without_a_token_finds_nothing_and_leaves_the_others_alone(written, queries, ranked):
    alone = ranked(exact.Config().open(written), texts="01")
    silent, kept = np.zeros((0, 8), np.float32), queries[1]
    queries[1] = silent
    try:
        run = ranked(exact.Config().open(written), texts="01")
    finally:
        queries[1] = kept
    assert run.docids("q1") == alone.docids("q1") and alone.docids("q2")
    assert "q2" not in {row.qid for row in run}


@pytest.mark.parametrize("kind", [exact.Config(), faiss.Config(factory="Flat", tokens_per_probe=64)])
def test_a_passage_without_a_token_is_never_found(passages, table, ranked, tmp_path, kind):
    silent = [np.zeros((0, 8), np.float16), *passages, np.zeros((0, 8), np.float16)]
    docids = ["first", *(f"d{number}" for number in range(len(passages))), "last"]
    write_embeddings(tmp_path / "e", "d" * 64, 8, [table(docids, silent)])
    opened = open_embeddings(tmp_path / "e")
    if kind.builds:
        kind.build(opened, tmp_path)
    run = ranked(kind.open(opened, tmp_path))
    assert all(set(run.docids(qid)) == set(docids[1:-1]) for qid in QIDS)


def test_a_collection_without_a_token_is_refused(table, tmp_path):
    with pytest.raises(DataError, match="no passage has a token that scores"):
        write_embeddings(tmp_path / "e", "d" * 64, 8, [table(["a"], [np.zeros((0, 8), np.float16)])])


def test_a_query_is_encoded_alone_on_a_cpu(encoder_folder, encoder, table, tmp_path):
    write_embeddings(tmp_path / "e", "d" * 64, 16, [table(["a"], [np.ones((1, 16), np.float16)])])
    opened = Retriever.open(encoder_folder, 8, open_embeddings(tmp_path / "e"), exact.Config(depth=2))
    seen: list[np.ndarray] = []
    spying = SimpleNamespace(passages=opened.index.passages, scores=lambda queries: seen.extend(queries) or ONE * 3)
    texts = ["river", "child water school house", "sun rain"]
    replace(opened, index=spying).run(QIDS[:3], texts)
    for text, query in zip(texts, seen, strict=True):
        assert np.array_equal(query, encode_texts(encoder, [text], "query", 8)[0].numpy())
    assert len(opened.run(QIDS[:3], texts)) == 3


ONE = [np.ones(1, np.float32)]
