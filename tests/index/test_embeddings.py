"""The embeddings artefact: what is written is what is opened, and damage is noticed."""

import numpy as np
import pyarrow as pa
import pytest

from optical import artefacts
from optical.errors import DataError
from optical.index.embed import PassageEncoder
from optical.index.embeddings import open_embeddings, write_embeddings
from optical.index.kinds import exact
from optical.index.retriever import Retriever
from optical.model.encode import encode_texts

DIM, MADE_FROM = 8, "d" * 64
LENGTHS = [3, 1, 7, 2, 5, 1, 4, 6, 2, 3, 9, 1]


def test_the_artefact_holds_what_was_written(written, passages):
    assert written.docids == tuple(f"d{number}" for number in range(12))
    assert np.diff(written.offsets).tolist() == written.lengths.tolist() == LENGTHS
    assert written.tokens.dtype == np.float16
    assert np.array_equal(written.tokens, np.concatenate(passages))
    assert written.passage_of_token.tolist() == [n for n, length in enumerate(LENGTHS) for _ in range(length)]
    assert written.fingerprint == MADE_FROM
    assert sorted(file.name for file in written.path.iterdir()) == [
        "embeddings.f16",
        "manifest.json",
        "passages.parquet",
    ]


@pytest.mark.parametrize("empty_tables", [0, 1])
def test_no_passage_is_a_data_error(tmp_path, table, empty_tables):
    with pytest.raises(DataError, match="the collection holds no passage"):
        write_embeddings(tmp_path / "embeddings", MADE_FROM, DIM, [table([], [])] * empty_tables)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["embeddings.f16", "passages.parquet"])
def test_a_tampered_file_is_noticed(written, name):
    content = bytearray((written.path / name).read_bytes())
    content[len(content) // 2] ^= 1
    (written.path / name).write_bytes(content)
    with pytest.raises(DataError, match=f"{name}: its bytes differ"):
        open_embeddings(written.path, MADE_FROM)


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
    for number, expected in enumerate(encode_texts(encoder, texts[:4], "query", 6)):
        tokens = np.frombuffer(made["embeddings"][number].as_py(), np.float16).reshape(-1, encoder.dim)
        np.testing.assert_allclose(tokens, expected.numpy(), atol=2e-3)
    write_embeddings(tmp_path / "made", MADE_FROM, encoder.dim, [made])
    searcher = exact.Config().open(open_embeddings(tmp_path / "made"))
    run = Retriever(encoder, 6, searcher, depth=5).run(["q"], ["river road"])
    assert {texts[int(docid[1:])] for docid in run.docids("q")} == {"river road"}
    assert artefacts.read(tmp_path / "made", "embeddings").info == {"dim": 16}
