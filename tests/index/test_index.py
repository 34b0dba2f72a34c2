"""The index: what is written is what is searched, exactly, and damage is noticed."""

import re

import faiss
import numpy as np
import pyarrow as pa
import pytest
import torch

from optical import artefacts
from optical.errors import DataError, UserError
from optical.index import search as search_module
from optical.index.candidates import Candidates, open_candidates, write_candidates
from optical.index.config import IndexConfig
from optical.index.embed import PassageEncoder
from optical.index.embeddings import Embeddings, open_embeddings, write_embeddings
from optical.index.search import candidate_scores, exact_scores, search
from optical.model.encode import encode_texts

DIM, MADE_FROM = 8, "d" * 64
DEEP = IndexConfig(depth=50)
LENGTHS = [3, 1, 7, 2, 5, 1, 4, 6, 2, 3, 9, 1]


def unit(draw: np.random.Generator, length: int) -> np.ndarray:
    rows = draw.standard_normal((length, DIM)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def table(docids: list[str], passages: list[np.ndarray]) -> pa.Table:
    return pa.table(
        {
            "docid": docids,
            "length": pa.array([len(tokens) for tokens in passages], pa.int32()),
            "embeddings": pa.array([tokens.tobytes() for tokens in passages], pa.binary()),
        }
    )


@pytest.fixture(scope="module")
def passages() -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    return [unit(draw, length).astype(np.float16) for length in LENGTHS]


@pytest.fixture(scope="module")
def queries() -> list[torch.Tensor]:
    draw = np.random.default_rng(1)
    return [torch.from_numpy(unit(draw, length)) for length in (4, 1, 6, 3)]


@pytest.fixture
def written(passages, tmp_path) -> Embeddings:
    """The passages, written in two tables and opened."""
    docids = [f"d{number}" for number in range(len(passages))]
    tables = [table(docids[:5], passages[:5]), table(docids[5:], passages[5:])]
    assert write_embeddings(tmp_path / "embeddings", MADE_FROM, DIM, iter(tables)) == len(passages)
    return open_embeddings(tmp_path / "embeddings", MADE_FROM)


@pytest.fixture
def proposing(written, tmp_path):
    """Makes a faiss index over them and opens it."""

    def make(factory: str) -> Candidates:
        write_candidates(tmp_path / "candidates", MADE_FROM, written.tokens, factory)
        return open_candidates(tmp_path / "candidates", MADE_FROM)

    return make


def brute_force(queries: list[torch.Tensor], passages: list[np.ndarray]) -> np.ndarray:
    return np.array(
        [[(query.numpy() @ passage.astype(np.float32).T).max(1).sum() for passage in passages] for query in queries]
    )


def test_the_artefact_holds_what_was_written(written, passages):
    assert written.docids == tuple(f"d{number}" for number in range(12))
    assert np.diff(written.offsets).tolist() == LENGTHS
    assert written.tokens.dtype == np.float16
    assert np.array_equal(written.tokens, np.concatenate(passages))
    assert written.passage_of_token.tolist() == [n for n, length in enumerate(LENGTHS) for _ in range(length)]
    assert written.fingerprint == MADE_FROM
    assert sorted(file.name for file in written.path.iterdir()) == [
        "embeddings.f16",
        "manifest.json",
        "passages.parquet",
    ]


@pytest.mark.parametrize("tokens_at_once", [1, 3, 7, 8, 10_000])
def test_exact_scores_equal_brute_force_in_chunks_of_any_size(written, queries, passages, monkeypatch, tokens_at_once):
    monkeypatch.setattr(search_module, "_TOKENS_AT_ONCE", tokens_at_once)
    scores = np.array(exact_scores(written, queries))
    np.testing.assert_allclose(scores, brute_force(queries, passages), atol=1e-5)


@pytest.mark.parametrize("queries_at_once", [1, 2, 32])
def test_the_run_is_the_brute_force_ranking(written, queries, passages, monkeypatch, queries_at_once):
    monkeypatch.setattr(search_module, "_QUERIES_AT_ONCE", queries_at_once)
    told = []
    run = search(written, ["q1", "q2", "q3", "q4"], queries, DEEP, advance=told.append)
    scores = brute_force(queries, passages)
    for row, qid in enumerate(["q1", "q2", "q3", "q4"]):
        assert run.docids(qid) == tuple(f"d{number}" for number in np.argsort(-scores[row]))
    assert sum(told) == 4
    assert len(run) == 4 * len(passages)
    best = next(iter(run))
    assert best.score == pytest.approx(scores[0].max(), abs=1e-5)


def test_a_passage_finds_itself(written, passages):
    run = search(written, ["q"], [torch.from_numpy(passages[2].astype(np.float32))], DEEP)
    assert run.docids("q")[0] == "d2"


def test_depth_keeps_the_best(written, queries):
    whole = search(written, ["q"], queries[:1], DEEP)
    short = search(written, ["q"], queries[:1], IndexConfig(depth=3))
    assert short.docids("q") == whole.docids("q")[:3]


@pytest.mark.parametrize("factory", ["Flat", "IVF3,Flat"])
def test_candidates_of_all_probes_are_everything(written, proposing, queries, passages, factory):
    config = IndexConfig(num_probes=3, tokens_per_probe=sum(LENGTHS), depth=50)
    candidates = proposing(factory)
    assert candidates.tokens.ntotal == sum(LENGTHS)
    scores = np.array(candidate_scores(written, candidates, queries, config))
    np.testing.assert_allclose(scores, brute_force(queries, passages), atol=1e-5)
    run, exact = (search(written, list("abcd"), queries, config, which) for which in (candidates, None))
    assert [run.docids(qid) for qid in "abcd"] == [exact.docids(qid) for qid in "abcd"]


def test_candidates_are_scored_over_all_their_tokens_and_others_not_at_all(written, proposing, queries, passages):
    config = IndexConfig(tokens_per_probe=1, depth=50)
    candidates = proposing("Flat")
    exact = brute_force(queries, passages)
    for row, scores in enumerate(candidate_scores(written, candidates, queries, config)):
        tokens = queries[row].numpy() @ np.concatenate(passages).astype(np.float32).T
        expected = set(written.passage_of_token[tokens.argmax(1)].tolist())
        assert set(np.flatnonzero(np.isfinite(scores)).tolist()) == expected
        for passage in expected:
            assert scores[passage] == pytest.approx(exact[row, passage], abs=1e-5)
    run = search(written, list("abcd"), queries, config, candidates)
    assert 0 < len(run.docids("b")) < len(passages)


def test_fewer_probes_visit_fewer_clusters(written, proposing, queries):
    def found(probes: int) -> int:
        config = IndexConfig(num_probes=probes, tokens_per_probe=sum(LENGTHS))
        return sum(int(np.isfinite(scores).sum()) for scores in candidate_scores(written, candidates, queries, config))

    candidates = proposing("IVF4,Flat")
    assert isinstance(candidates.tokens, faiss.IndexIVF)
    assert found(1) < found(4)


@pytest.mark.parametrize(
    ("factory", "message"),
    [
        ("Nonsense7", "faiss cannot make 'Nonsense7' of 8 dimensions (could not parse index string Nonsense7);"),
        ("PQ3", "faiss cannot make 'PQ3' of 8 dimensions (The dimension of the vector (d) should be a multiple"),
        ("IVF256,SQ8", "'IVF256,SQ8' needs 256 tokens to train on, and the collection is certain to have 44;"),
        ("OPQ4,PQ4", "'OPQ4,PQ4' needs 256 tokens"),
        ("IVF0,Flat", "'IVF0,Flat' has 0 clusters;"),
        ("IVF200000,Flat", "'IVF200000,Flat' has 200,000 clusters, and faiss is trained on 100,000 tokens;"),
    ],
)
def test_a_factory_that_cannot_be_used_leaves_nothing(proposing, tmp_path, factory, message):
    with pytest.raises(UserError, match=re.escape(f"index.factory: {message}")):
        proposing(factory)
    assert [folder.name for folder in tmp_path.iterdir()] == ["embeddings"]


@pytest.mark.parametrize("tables", [[], [table([], [])]])
def test_no_passage_is_a_data_error(tmp_path, tables):
    with pytest.raises(DataError, match="the collection holds no passage"):
        write_embeddings(tmp_path / "embeddings", MADE_FROM, DIM, tables)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["embeddings.f16", "passages.parquet", "tokens.faiss"])
def test_a_tampered_file_is_noticed(written, proposing, tmp_path, name):
    proposing("Flat")
    folder, open_it = ("candidates", open_candidates) if name == "tokens.faiss" else ("embeddings", open_embeddings)
    path = tmp_path / folder / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=f"{name}: its bytes differ"):
        open_it(path.parent, MADE_FROM)


def test_embeddings_of_another_teacher_are_refused(written):
    with pytest.raises(DataError, match="made from d+, not from e+;"):
        open_embeddings(written.path, "e" * 64)


def test_the_passage_encoder_keeps_order_and_content(encoder, encoder_folder, tmp_path):
    texts = ["child water school house book", "sun", "river road", "food teacher rain tree sun"] * 12
    docids = [f"p{number}" for number in range(len(texts))]
    encode = PassageEncoder(encoder_folder, length=6, threads=1, use_gpu=False)
    made = encode(pa.table({"docid": docids, "text": texts}))
    assert made["docid"].to_pylist() == docids
    assert made["length"].to_pylist() == [6, 3, 4, 6] * 12
    for number, expected in enumerate(encode_texts(encoder, texts[:4], 6)):
        tokens = np.frombuffer(made["embeddings"][number].as_py(), np.float16).reshape(-1, encoder.dim)
        np.testing.assert_allclose(tokens, expected.numpy(), atol=2e-3)
    write_embeddings(tmp_path / "made", MADE_FROM, encoder.dim, [made])
    run = search(
        open_embeddings(tmp_path / "made"), ["q"], encode_texts(encoder, ["river road"], 6), IndexConfig(depth=5)
    )
    assert {texts[int(docid[1:])] for docid in run.docids("q")} == {"river road"}
    assert artefacts.read(tmp_path / "made", "embeddings").info == {"dim": 16}
