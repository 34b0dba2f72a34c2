"""What is written is read back with every setting, here and by transformers, and its limits are said."""

import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from optical.errors import UserError
from optical.model.elsewhere import check_stanford, limits_elsewhere, write_stanford
from optical.model.encode import encode_texts
from optical.model.encoder import Encoder
from optical.model.formats.layout import read_layout
from optical.model.head import Dense
from optical.model.storage import load_encoder, save_encoder
from tests.model.formats.encoders import ROLES, heads, made
from tests.model.formats.folders import LONG, MAKERS, POSITIONS, TEXTS, bert, pylate, read

ALL = [*TEXTS, LONG]


def saved(encoder: Encoder, folder) -> Encoder:
    folder.mkdir()
    save_encoder(encoder, folder)
    return load_encoder(folder).eval()


def check_same(one: Encoder, other: Encoder):
    assert one.reader.roles == other.reader.roles
    assert one.reader.frames == other.reader.frames
    assert [type(layer) for layer in one.head] == [type(layer) for layer in other.head]
    for role in ("query", "document"):
        assert one.reader.encode(ALL, role, 20) == other.reader.encode(ALL, role, 20)
        for ours, again in zip(*(encode_texts(each, ALL, role, 20) for each in (one, other)), strict=True):
            assert torch.equal(ours, again)


@pytest.mark.parametrize("roles", ROLES)
@pytest.mark.parametrize("family", ["bert", "xlm_roberta"])
def test_every_setting_comes_back(tmp_path, family, roles):
    encoder = made(tmp_path / "backbone", family, roles, "one")
    check_same(encoder, saved(encoder, tmp_path / "saved"))


@pytest.mark.parametrize("head", heads())
def test_every_layer_comes_back(tmp_path, head):
    encoder = made(tmp_path / "backbone", "bert", "all together", head)
    again = saved(encoder, tmp_path / "saved")
    check_same(encoder, again)
    activations = [
        [layer.activation_name for layer in each.head if isinstance(layer, Dense)] for each in (encoder, again)
    ]
    assert activations[0] == activations[1]


@pytest.mark.parametrize("family", MAKERS)
def test_transformers_reads_the_backbone_and_the_tokenizer(tmp_path, family):
    encoder = load_encoder(MAKERS[family](tmp_path / "backbone")).eval()
    (tmp_path / "saved").mkdir()
    save_encoder(encoder, tmp_path / "saved")
    tokenizer, model = (kind.from_pretrained(tmp_path / "saved") for kind in (AutoTokenizer, AutoModel))
    for text in ALL:
        tokens = tokenizer(text, truncation=True, return_tensors="pt")
        assert tokens["input_ids"].tolist() == encoder.reader.encode([text], "query", POSITIONS).to_pylist()
        with torch.no_grad():
            hidden = model.eval()(**tokens).last_hidden_state[0]
        [ours] = encode_texts(encoder, [text], "query", POSITIONS)
        assert torch.equal(torch.nn.functional.normalize(hidden, dim=-1), ours)


def test_spelt_out_special_tokens_and_markers_stay_text(tmp_path):
    encoder = load_encoder(pylate(tmp_path / "old", markers=("[Q] ", "[unused1]"))).eval()
    again = saved(encoder, tmp_path / "saved")
    for each in (encoder, again):
        own = each.reader.encode(["[CLS] [Q] [MASK] [unused1] rain"], "query").to_pylist()[0][2:-1]
        number = each.tokenizer.token_to_id
        assert not {number(token) for token in ("[CLS]", "[MASK]", "[Q] ", "[unused1]")} & set(own)
    check_same(encoder, again)


def test_punctuation_is_written_as_the_tokens_that_do_not_score(tmp_path):
    encoder = made(tmp_path / "backbone", "xlm_roberta", "colbert", "one")
    saved(encoder, tmp_path / "saved")
    assert read(tmp_path / "saved" / "config_sentence_transformers.json")["skiplist_words"] == ["▁"]


@pytest.mark.parametrize(("family", "prefix"), [("bert", "bert"), ("xlm_roberta", "roberta")])
@pytest.mark.parametrize("roles", ["colbert", "colbert, all score"])
def test_the_keys_of_colbert_give_the_same_encoder(tmp_path, family, prefix, roles):
    encoder = made(tmp_path / "backbone", family, roles, "one")
    check_same(encoder, saved(encoder, tmp_path / "saved"))
    write_stanford(encoder, tmp_path / "saved")
    assert read_layout(tmp_path / "saved").format == "colbert"
    assert read(tmp_path / "saved" / "config.json")["architectures"] == ["HF_ColBERT"]
    check_same(encoder, load_encoder(tmp_path / "saved").eval())
    metadata = read(tmp_path / "saved" / "artifact.metadata")
    expected = {"query_maxlen": 12, "dim": 16, "mask_punctuation": roles == "colbert", "doc_maxlen": POSITIONS}
    assert expected.items() <= metadata.items()
    (tmp_path / "saved" / "config_sentence_transformers.json").unlink()
    without = load_encoder(tmp_path / "saved").eval()
    assert without.reader.frames == encoder.reader.frames
    bare = AutoModel.from_pretrained(tmp_path / "saved").state_dict()
    assert all(torch.equal(bare[name], value) for name, value in encoder.backbone.state_dict().items())


@pytest.mark.parametrize(
    ("family", "roles", "head", "message"),
    [
        ("deberta", "plain", "one", "is written for bert and xlm-roberta, and the backbone is deberta-v2"),
        ("bert", "colbert", "two", "has room for one linear layer without bias or activation"),
        ("bert", "colbert", "none", "has room for one linear layer"),
        ("bert", "plain", "one", "how a query is read and scored here: it has no marker"),
        ("bert", "all together", "one", "how a query is read and scored here: 'query: ' stands in front"),
        ("bert", "markers", "one", "how a query is read and scored here: it is not filled up to a fixed"),
        ("bert", "augmented", "one", "how a document is read and scored here: other tokens fill it up or do not score"),
        ("xlm_roberta", "overwritten", "one", "how a query is read and scored here: '. ' stands in front"),
    ],
)
def test_what_colbert_cannot_express_is_refused(tmp_path, family, roles, head, message):
    encoder = made(tmp_path / "backbone", family, roles, head)
    (tmp_path / "saved").mkdir()
    with pytest.raises(UserError, match=message):
        write_stanford(encoder, tmp_path / "saved")
    assert not list((tmp_path / "saved").iterdir())
    with pytest.raises(UserError, match=message):
        check_stanford(encoder)


def test_queries_that_are_cut_shorter_than_colbert_fills_them_are_refused(tmp_path):
    """ColBERT has one length of queries: it reads what this encoder cuts off."""
    encoder = made(tmp_path / "backbone", "bert", "colbert", "one")
    saved(encoder, tmp_path / "saved")
    before = sorted(file.name for file in (tmp_path / "saved").iterdir())
    for refuse in (check_stanford, lambda *given: write_stanford(given[0], tmp_path / "saved", given[1])):
        with pytest.raises(UserError, match="ColBERT's format: reads 12 tokens of a query, and here it is cut to 11"):
            refuse(encoder, {"query": 11})
    assert sorted(file.name for file in (tmp_path / "saved").iterdir()) == before
    for fits in (12, 64):
        check_stanford(encoder, {"query": fits})


@pytest.mark.parametrize("roles", ["colbert", "colbert, all score"])
def test_nothing_is_refused_that_is_written(tmp_path, roles):
    check_stanford(made(tmp_path / "backbone", "bert", roles, "one"))


def test_the_limits_of_other_libraries_are_said():
    expressed = ("plain", "prefixes", "markers", "augmented", "all together", "colbert", "colbert, all score")
    assert all(not limits_elsewhere(ROLES[name]) for name in expressed)
    assert "put the marker before the prefix" in limits_elsewhere(ROLES["overwritten"])[0]
    assert len(limits_elsewhere(ROLES["overwritten"])) == len(limits_elsewhere(ROLES["inner"])) == 2
    assert "score all tokens" in limits_elsewhere(ROLES["inner"])[0]
    assert limits_elsewhere(ROLES["filled otherwise"]) == [
        "A query is filled with ','. PyLate fills with the mask token."
    ]
    assert len(limits_elsewhere(ROLES["plain"], heads()["centring"])) == 1
    assert not limits_elsewhere(ROLES["plain"], heads()["two"])


def test_a_folder_is_not_changed_by_reading(tmp_path):
    before = {file.name: file.read_bytes() for file in bert(tmp_path).iterdir()}
    load_encoder(tmp_path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before
