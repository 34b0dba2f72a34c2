"""Text that the vocabulary cannot spell: counted, and said aloud."""

from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

from optical.data.batches.token_shards import TOKENISED
from optical.data.batches.tokenise import UnknownTokens
from optical.model.vocabulary.tokenizer import learn_wordpiece, load_tokenizer, save_tokenizer
from pipelines.verbs import train


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tokenizer that knows Latin letters only."""
    save_tokenizer(learn_wordpiece(["maji ni baridi"] * 3, 80), tmp_path / "tokenizer", 256)
    return tmp_path / "tokenizer"


def tokenised(folder: Path, sources: list[str]) -> pa.Table:
    ids = [encoding.ids for encoding in load_tokenizer(folder).encode_batch(sources)]
    return pa.table([["toy"] * len(sources), ids, ids], schema=TOKENISED)


def test_unknown_tokens_are_counted(folder: Path):
    table, unknown = tokenised(folder, ["maji", "ሰላም maji"]), UnknownTokens(folder)
    assert [len(some) for some in unknown.counted([table, table.slice(0, 0)])] == [2, 0]
    assert unknown.share == 1 / 7


@pytest.mark.parametrize(("strange", "told"), [(0, False), (1, False), (40, True)])
def test_many_unknown_tokens_are_said_aloud(
    folder: Path, strange: int, told: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    @contextmanager
    def making(*asked: object):
        yield True

    @contextmanager
    def work(verb: str):
        yield

    recipe = SimpleNamespace(bitext=SimpleNamespace(dev_pairs=2))
    session = SimpleNamespace(making=making, work=work, workspace=SimpleNamespace(recipe=recipe))
    table = tokenised(folder, ["maji ni baridi"] * (100 - strange) + ["ሰላም ni baridi"] * strange)
    monkeypatch.setattr(train, "tokenised_pairs", lambda shards, *folders: [table])
    monkeypatch.setattr(train, "pair_shards", lambda bitext: [])
    monkeypatch.setattr(train, "pair_counts", lambda bitext: [100])
    train._ensure_tokens(session, Path("bitext"), (folder, folder), folder.parent / "tokens", "f" * 64)
    assert [record.getMessage().split(": ")[1] for record in caplog.records] == (
        [
            "8.0 % of the source tokens are [UNK], words with letters that the vocabulary lacks; "
            "set student.vocabulary, to 8000 say"
        ]
        if told
        else []
    )
