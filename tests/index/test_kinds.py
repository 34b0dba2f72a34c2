"""Index kinds: exact search is brute force, and candidates are scored as exact search scores them."""

import re
from dataclasses import replace

import faiss as faiss_library
import numpy as np
import pytest

from optical import components
from optical.errors import UserError
from optical.index import scoring
from optical.index.embeddings import Embeddings
from optical.index.kinds import exact, faiss

LENGTHS = [3, 1, 7, 2, 5, 1, 4, 6, 2, 3, 9, 1]


@pytest.fixture
def proposing(written, tmp_path):
    """Builds a faiss index over the passages and opens it."""

    def make(factory: str, use_gpu: bool = False, **fields) -> faiss.CandidateSearch:
        config = faiss.Config(factory=factory, **fields)
        folder = tmp_path / "candidates"
        folder.mkdir(exist_ok=True)
        config.build(written, folder)
        return config.open(written, folder, use_gpu)

    return make


def test_the_kinds_are_found_by_their_files():
    assert {"exact", "faiss"} <= set(components.names("optical.index.kinds"))
    assert components.config_class("optical.index.kinds", "faiss", "index.search") is faiss.Config


@pytest.mark.parametrize("tokens_at_once", [1, 3, 7, 8, 10_000])
def test_exact_scores_equal_brute_force_in_chunks_of_any_size(written, queries, brute_force, tokens_at_once):
    searcher = replace(exact.Config().open(written), tokens_at_once=tokens_at_once)
    np.testing.assert_allclose(searcher.scores(queries), brute_force, atol=1e-5)


@pytest.mark.parametrize("factory", ["Flat", "IVF3,Flat"])
def test_candidates_of_all_probes_are_everything(written, proposing, queries, brute_force, factory):
    search = proposing(factory, num_probes=3, tokens_per_probe=sum(LENGTHS))
    assert search.tokens.ntotal == sum(LENGTHS)
    np.testing.assert_allclose(search.scores(queries), brute_force, atol=1e-5)


def test_candidates_are_scored_over_all_their_tokens_and_others_not_at_all(
    written, proposing, queries, passages, brute_force
):
    for row, scores in enumerate(proposing("Flat", tokens_per_probe=1).scores(queries)):
        tokens = queries[row] @ np.concatenate(passages).astype(np.float32).T
        expected = set(written.passage_of_token[tokens.argmax(1)].tolist())
        assert set(np.flatnonzero(np.isfinite(scores)).tolist()) == expected
        for passage in expected:
            assert scores[passage] == pytest.approx(brute_force[row, passage], abs=1e-5)


def test_fewer_probes_visit_fewer_clusters(proposing, queries):
    def found(probes: int | None) -> int:
        search = proposing("IVF4,Flat", num_probes=probes, tokens_per_probe=sum(LENGTHS))
        assert isinstance(search.tokens, faiss_library.IndexIVF)
        return int(np.isfinite(search.scores(queries)).sum())

    assert found(1) < found(2) == found(None) < found(4)


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
def test_a_factory_that_cannot_be_used_is_refused_early_and_when_it_is_built(proposing, tmp_path, factory, message):
    for refused in (lambda: faiss.Config(factory=factory).check(8, 44), lambda: proposing(factory)):
        with pytest.raises(UserError, match=re.escape(f"index.factory: {message}")):
            refused()
    assert list((tmp_path / "candidates").iterdir()) == []


@pytest.mark.parametrize(("tokens", "clusters"), [(1, 1), (44, 4), (14_124, 64), (344_297, 256), (10**9, 2048)])
def test_auto_fits_any_collection(tokens, clusters):
    assert faiss.fitting_factory(tokens) == f"IVF{clusters},SQ8"


def test_auto_is_built_and_found_again(proposing, queries, brute_force):
    faiss.Config().check(8, 1)
    search = proposing("auto", tokens_per_probe=sum(LENGTHS))
    assert (search.tokens.nlist, search.tokens.nprobe) == (4, 2)
    scores = search.scores(queries)
    found = np.isfinite(scores)
    np.testing.assert_allclose(scores[found], brute_force[found], atol=1e-5)


def test_faiss_moves_to_the_gpu_only_where_it_can(proposing, queries, monkeypatch):
    """The CPU plays the GPU: an index that is moved answers as the one that stays."""
    moved: list[object] = []

    def maxsim(passages: Embeddings, device: str) -> scoring.MaxSim:
        moved.append(device)
        return on_cpu(passages)

    def to_gpu(gpu: str, number: int, index: faiss_library.Index) -> faiss_library.Index:
        moved.append((gpu, number))
        return index

    on_cpu = scoring.MaxSim
    monkeypatch.setattr(scoring, "MaxSim", maxsim)
    stays = proposing("IVF4,Flat").scores(queries)
    assert np.array_equal(proposing("IVF4,Flat", use_gpu=True).scores(queries), stays)
    assert moved == ["cpu", "cuda"]
    monkeypatch.setattr(faiss_library, "StandardGpuResources", lambda: "gpu", raising=False)
    monkeypatch.setattr(faiss_library, "index_cpu_to_gpu", to_gpu, raising=False)
    assert np.array_equal(proposing("IVF4,Flat", use_gpu=True).scores(queries), stays)
    assert moved[2:] == [("gpu", 0), "cuda"]
