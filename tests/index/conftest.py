"""A dozen passages and four queries of random unit vectors, and brute force over them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from optical.index.embeddings import Embeddings, open_embeddings, write_embeddings

DIM, MADE_FROM = 8, "d" * 64
LENGTHS = [3, 1, 7, 2, 5, 1, 4, 6, 2, 3, 9, 1]


def unit(draw: np.random.Generator, length: int) -> np.ndarray:
    rows = draw.standard_normal((length, DIM)).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture(scope="session")
def table() -> Callable[[list[str], list[np.ndarray]], pa.Table]:
    """Builds the table of embedded passages that an embeddings artefact is written from."""
    return lambda docids, passages: pa.table(
        {
            "docid": docids,
            "length": pa.array([len(tokens) for tokens in passages], pa.int32()),
            "embeddings": pa.array([tokens.tobytes() for tokens in passages], pa.binary()),
        }
    )


@pytest.fixture(scope="session")
def passages() -> list[np.ndarray]:
    draw = np.random.default_rng(0)
    return [unit(draw, length).astype(np.float16) for length in LENGTHS]


@pytest.fixture(scope="session")
def queries() -> list[np.ndarray]:
    draw = np.random.default_rng(1)
    return [unit(draw, length) for length in (4, 1, 6, 3)]


@pytest.fixture
def written(passages: list[np.ndarray], table: Callable, tmp_path: Path) -> Embeddings:
    """The passages, written in two tables and opened."""
    docids = [f"d{number}" for number in range(len(passages))]
    tables = [table(docids[:5], passages[:5]), table(docids[5:], passages[5:])]
    assert write_embeddings(tmp_path / "embeddings", MADE_FROM, DIM, iter(tables)) == len(passages)
    return open_embeddings(tmp_path / "embeddings", MADE_FROM)


@pytest.fixture(scope="session")
def brute_force(queries: list[np.ndarray], passages: list[np.ndarray]) -> np.ndarray:
    """MaxSim of every query with every passage."""
    return np.array(
        [[(query @ passage.astype(np.float32).T).max(1).sum() for passage in passages] for query in queries]
    )
