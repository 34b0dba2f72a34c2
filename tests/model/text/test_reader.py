"""The reader of a tokenizer: frames, prefixes, markers and pieces by hand, for every kind of vocabulary."""

from dataclasses import replace

import pytest

from optical.errors import DataError, UserError
from optical.model.text.frame import Frame
from optical.model.text.padding import pad
from optical.model.text.reader import TextReader, load_reader
from optical.model.text.roles import Roles, RoleSettings
from tests.model.formats.folders import MAKERS

BERT_LIKE, XLMR_LIKE = ("[CLS]", "[SEP]", "[PAD]"), ("<s>", "</s>", "<pad>")
AROUND = {
    "bert": BERT_LIKE,
    "xlm_roberta": XLMR_LIKE,
    "roberta": XLMR_LIKE,
    "modernbert": BERT_LIKE,
    "deberta": BERT_LIKE,
}
TEXTS = ["river water", "", "hello, world!", "  rain  ", "\u0416\u00e9\U0001f600"]


@pytest.fixture(scope="module")
def readers(tmp_path_factory) -> dict[str, TextReader]:
    return {name: load_reader(make(tmp_path_factory.mktemp(name))) for name, make in MAKERS.items()}


def with_query(reader: TextReader, **settings) -> TextReader:
    return reader.with_roles(Roles(query=RoleSettings(**settings)))


def names(reader: TextReader, ids) -> tuple[str, ...]:
    return reader.tokens_of(list(ids))


@pytest.mark.parametrize("family", AROUND)
def test_the_frame_of_a_plain_reader(readers, family):
    reader, (opening, closing, padding) = readers[family], AROUND[family]
    for frame in reader.frames.values():
        assert (names(reader, frame.before), names(reader, frame.after)) == ((opening,), (closing,))
        assert (names(reader, [frame.pad]), frame.size) == ((padding,), 2)
    assert set(AROUND) == set(MAKERS)


@pytest.mark.parametrize("family", AROUND)
@pytest.mark.parametrize("prefix", ["query: ", "hello", "query:"])
def test_a_prefix_stands_in_the_frame_and_the_text_behind_it(readers, family, prefix):
    reader = with_query(readers[family], prefix=prefix)
    frame = reader.frames["query"]
    rows = reader.encode(TEXTS, "query").to_pylist()
    for text, row, pieces in zip(TEXTS, rows, reader.own_pieces(TEXTS, "query"), strict=True):
        assert tuple(row[: len(frame.before)]) == frame.before and tuple(row[-1:]) == frame.after
        own = row[len(frame.before) : -1]
        # The tokenizers library spells an unknown piece of a Unigram model as the text has it.
        known = reader.tokenizer.get_vocab()
        spelt = tuple(piece.token if piece.token in known else reader.special.unk for piece in pieces)
        assert names(reader, own) == spelt
        assert all(0 <= piece.place[1] <= len(text) for piece in pieces)
    assert len(frame.before) > 1
    assert reader.encode(TEXTS, "document").to_pylist() == readers[family].encode(TEXTS, "document").to_pylist()


@pytest.mark.parametrize("family", AROUND)
def test_a_text_is_cut_behind_its_frame(readers, family):
    reader = with_query(readers[family], prefix="query: ")
    size = reader.frames["query"].size
    [row] = reader.encode(["river water rain sun"], "query", size + 1).to_pylist()
    assert len(row) == size + 1 and row[-1] == reader.frames["query"].after[0]
    for length in (size, 2, 1):
        with pytest.raises(UserError, match=f"is {length}, and {size} tokens stand around every text"):
            reader.encode(["river"], "query", length)


def test_a_marker_stands_before_the_prefix_or_in_its_place(readers):
    bert = readers["bert"]
    marked = with_query(bert, marker="[unused0]", prefix="query ")
    [row] = marked.encode(["river"], "query").to_pylist()
    assert names(bert, row) == ("[CLS]", "[unused0]", "query", "river", "[SEP]")
    [row] = (
        with_query(bert, marker="[unused0]", prefix="query ", overwrites=True).encode(["river"], "query").to_pylist()
    )
    assert names(bert, row) == ("[CLS]", "[unused0]", "river", "[SEP]")
    with pytest.raises(DataError, match=r"lacks '\[Q\]', the marker of a query"):
        _ = with_query(bert, marker="[Q]").frames
    with pytest.raises(UserError, match="replaces the first token of a prefix, and there is none"):
        RoleSettings(marker="[unused0]", overwrites=True)


@pytest.mark.parametrize("attends", [False, True])
def test_query_augmentation_by_hand(readers, attends):
    bert = with_query(readers["bert"], expand_to=6, attends=attends)
    frame = bert.frames["query"]
    batch = pad(bert.encode(["river", "", "river water rain sun book"], "query", 30), frame)
    mask = bert.special.mask
    assert names(bert, batch.ids[0].tolist()) == ("[CLS]", "river", "[SEP]", mask, mask, mask)
    assert names(bert, batch.ids[2].tolist()) == ("[CLS]", "river", "water", "rain", "sun", "[SEP]")
    assert batch.scored.all() and batch.inner.sum(1).tolist() == [1, 0, 4]
    assert batch.mask.sum(1).tolist() == ([6, 6, 6] if attends else [3, 2, 6])


def test_inner_scoring_and_silence_by_hand(readers):
    bert = readers["bert"]
    inner = with_query(bert, prefix="query ", scored="inner", silent=(",", "not there"))
    batch = pad(inner.encode(["hello, world", "", ","], "query"), inner.frames["query"])
    assert [names(bert, row[one].tolist()) for row, one in zip(batch.ids, batch.scored, strict=True)] == [
        ("hello", "world"),
        (),
        (),
    ]
    assert batch.inner.sum(1).tolist() == [3, 0, 1]


@pytest.mark.parametrize("family", AROUND)
def test_spelt_out_special_tokens_stay_text(readers, family):
    reader, special = readers[family], readers[family].special
    [row] = reader.encode([f"a {special.sep} {special.mask} {special.pad} b"], "query").to_pylist()
    inner = names(reader, row[1:-1])
    assert not {special.sep, special.mask, special.pad} & set(inner)


def test_adapting_changes_what_is_given_and_keeps_the_rest(readers):
    own = Roles(query=RoleSettings(prefix="query ", scored="inner"), document=RoleSettings(prefix="passage "))
    reader = readers["bert"].with_roles(own)
    assert reader.adapted(None, None, None).roles == own
    assert reader.adapted("", None, "all").roles == Roles(query=RoleSettings(), document=own.document)
    assert reader.adapted(None, "hello ", None).roles == replace(own, document=RoleSettings(prefix="hello "))


def test_a_frame_comes_back_from_plain_values(readers):
    frame = with_query(readers["bert"], prefix="query ", expand_to=6, silent=(",",)).frames["query"]
    assert Frame.of(frame.as_dict()) == frame
