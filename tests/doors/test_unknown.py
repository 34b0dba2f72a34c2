"""Text that the vocabulary cannot spell: counted, and said aloud."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pyarrow as pa
import pytest

from optical.data.batches import tokenise
from optical.data.batches.token_shards import TOKENISED
from optical.data.batches.tokenise import UnknownTokens
from optical.model.text.reader import load_reader
from optical.model.vocabulary.tokenizer import learn_wordpiece
from pipelines.graph import tokens
from pipelines.graph.bitext import QUESTIONS
from pipelines.graph.teacher import QUESTION_TOKENS, TEACHER_START
from tests.readers import save_tokenizer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A tokenizer that knows Latin letters only."""
    save_tokenizer(learn_wordpiece(["maji ni baridi"] * 3, 80), tmp_path / "tokenizer", 256)
    return tmp_path / "tokenizer"


def tokenised(folder: Path, sources: list[str]) -> pa.Table:
    ids = load_reader(folder).encode(sources, "query")
    return pa.table([["toy"] * len(sources), ids, ids, ids], schema=TOKENISED)


def test_unknown_tokens_are_counted(folder: Path):
    table, unknown = tokenised(folder, ["maji", "ሰላም maji"]), UnknownTokens(load_reader(folder))
    assert [len(some) for some in unknown.counted([table, table.slice(0, 0)])] == [2, 0]
    assert unknown.share == 1 / 7


@pytest.mark.parametrize(("strange", "told"), [(0, False), (1, False), (40, True)])
def test_many_unknown_tokens_are_said_aloud(
    folder: Path, strange: int, told: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    places = {TEACHER_START: folder, QUESTIONS: Path("questions")}
    recipe = SimpleNamespace(bitext=SimpleNamespace(dev_pairs=2))
    workspace = SimpleNamespace(recipe=recipe, path=places.get, has=lambda node: False)
    session = SimpleNamespace(work=lambda verb: nullcontext(), workspace=workspace)
    table = tokenised(folder, ["maji ni baridi"] * (100 - strange) + ["ሰላም ni baridi"] * strange)
    monkeypatch.setattr(tokenise, "tokenised_pairs", lambda shards, *folders: [table])
    monkeypatch.setattr(tokens, "pair_shards", lambda bitext: [])
    monkeypatch.setattr(tokens, "pair_counts", lambda bitext: [100])
    QUESTION_TOKENS.make(session, folder.parent / "tokens", "f" * 64)
    assert [record.getMessage().split(": ")[1] for record in caplog.records] == (
        [
            "8.0 % of the source tokens are unknown, words with letters that the vocabulary lacks; "
            "set student.vocabulary, to 8000 say"
        ]
        if told
        else []
    )
