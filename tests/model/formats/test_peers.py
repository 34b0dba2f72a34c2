"""Folders of every format give the vectors that sentence-transformers computes, bit for bit."""

from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from optical.model.elsewhere import write_stanford
from optical.model.encode import encode_texts
from optical.model.encoder import Encoder
from optical.model.maxsim import maxsim
from optical.model.storage import load_encoder, save_encoder
from optical.model.text.roles import ROLES
from tests.model.formats import folders
from tests.model.formats.encoders import made
from tests.model.formats.folders import LONG, POSITIONS, TEXTS, pooled, pylate, stanford

peers = pytest.importorskip("sentence_transformers", minversion="6.0", reason="part of the extra optical-clir[peers]")
pytestmark = pytest.mark.filterwarnings("default")
DOCUMENTS = [*TEXTS[:2], LONG]
QUERIES = ["Hello, world?", "river (school)", LONG]


def theirs(folder: Path) -> object:
    return peers.MultiVectorEncoder(str(folder), device="cpu", local_files_only=True)


def check_equal(encoder: Encoder, other: object, document_length: int = POSITIONS, query_length: int = POSITIONS):
    """Queries and documents at batch 1, to the bit; MaxSim of all pairs, to 1e-6."""
    found = {}
    for role, texts, length in (("query", QUERIES, query_length), ("document", DOCUMENTS, document_length)):
        encode = other.encode_query if role == "query" else other.encode_document
        for text in texts:
            [ours] = encode_texts(encoder, [text], role, length)
            vectors = encode([text], convert_to_numpy=True)[0]
            assert ours.shape == vectors.shape, (role, text)
            assert np.array_equal(ours.numpy(), vectors), (role, text, np.abs(ours.numpy() - vectors).max())
            found.setdefault(role, []).append(ours)
    check_scores(found, other)


def check_scores(found: dict[str, list[torch.Tensor]], other: object):
    padded, masks = zip(*(stacked(found[role]) for role in ROLES), strict=True)
    scores = maxsim(padded[0], masks[0], padded[1], masks[1])
    torch.testing.assert_close(scores, other.similarity(*(found[role] for role in ROLES)), atol=1e-6, rtol=1e-6)


def stacked(rows: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    lengths = torch.tensor([len(row) for row in rows])
    return torch.nn.utils.rnn.pad_sequence(rows, batch_first=True), torch.arange(int(lengths.max())) < lengths[:, None]


FOLDERS = {
    "stanford bert": partial(stanford, doc_maxlen=30),
    "stanford bert, attending, all score": partial(stanford, attend_to_mask_tokens=True, mask_punctuation=False),
    "stanford xlm-r": partial(stanford, maker=folders.xlm_roberta, prefix="roberta", mask_punctuation=False),
    "pylate bert": pylate,
    "pylate bert, markers of the vocabulary": partial(pylate, markers=("[unused0]", "[unused1]")),
    "pylate bert, attending": partial(pylate, attend_to_expansion_tokens=True, skiplist_words=[]),
    "pylate bert, nothing filled": partial(pylate, do_query_expansion=False, query_length=20),
    "pylate bert, prompts": partial(pylate, prompts={"query": "query: ", "document": "passage: "}),
    "pylate xlm-r": partial(pylate, maker=folders.xlm_roberta),
    "pylate xlm-r, markers of the vocabulary": partial(
        pylate, maker=folders.xlm_roberta, markers=("[unused0]", "[unused1]")
    ),
    "pylate modernbert": partial(pylate, maker=folders.modernbert),
    "pylate roberta": partial(pylate, maker=folders.roberta),
    "pylate deberta": partial(pylate, maker=folders.deberta),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_gives_their_vectors(tmp_path, name):
    folder = FOLDERS[name](tmp_path)
    encoder, other = load_encoder(folder).eval(), theirs(folder)
    settings = encoder.reader.roles
    check_equal(encoder, other, other[0].document_length or POSITIONS, settings.query.expand_to or 20)


def deep(folder: Path) -> Path:
    """PyLate's layout with two linear layers more, one with bias and activation."""
    pylate(folder)
    folders.dense(folder, "2_Dense", 16, 24, bias=True, activation_function="torch.nn.modules.activation.Tanh")
    folders.dense(folder, "3_Dense", 24, 8, bias=True)
    kinds = [("sentence_transformers.models.Transformer", "")]
    kinds += [("pylate.models.Dense.Dense", f"{number}_Dense") for number in (1, 2, 3)]
    folders.write_modules(folder, kinds)
    return folder


def test_several_linear_layers_with_bias_and_activation(tmp_path):
    encoder = load_encoder(deep(tmp_path)).eval()
    assert [layer.activation_name for layer in encoder.head] == ["Identity", "Tanh", "Identity"]
    check_equal(encoder, theirs(tmp_path), 30)


@pytest.mark.parametrize("name", ["pylate bert, prompts", "pylate xlm-r", "stanford bert", "stanford xlm-r"])
def test_a_folder_that_they_saved_gives_their_vectors(tmp_path, name):
    other = theirs(FOLDERS[name](tmp_path / "old"))
    other.save_pretrained(str(tmp_path / "new"), create_model_card=False)
    check_equal(load_encoder(tmp_path / "new").eval(), other, other[0].document_length or POSITIONS)


def native(folder: Path, **settings: object) -> object:
    """An encoder of their own, put together from modules and saved."""
    modules = peers.multi_vector_encoder.modules
    base = peers.base.modules
    transformer = base.Transformer(str(folders.xlm_roberta(folder / "backbone")), query_expansion=settings.get("fill"))
    mask = modules.MultiVectorMask([",", "!", "no token"], skiplist_tasks=settings.get("tasks"))
    dense = base.Dense(32, 16, activation_function=torch.nn.GELU(), module_input_name="token_embeddings")
    unit = base.Normalize(module_input_name="token_embeddings")
    prompts = settings.get("prompts", {"query": "query: ", "document": "passage: "})
    made = peers.MultiVectorEncoder(modules=[transformer, dense, mask, unit], prompts=prompts, device="cpu")
    made.save_pretrained(str(folder), create_model_card=False)
    return made


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"fill": {"strategy": "fixed", "length": 16, "attend": True, "token": "</s>"}},
        {"tasks": ["query", "document"]},
        {"prompts": {"query": "[unused0] ", "document": "[unused1]river: "}},
    ],
    ids=["prompts", "filled", "silent in queries", "markers"],
)
def test_an_encoder_of_their_own_is_read(tmp_path, settings):
    (tmp_path / "saved").mkdir()
    made = native(tmp_path / "saved", **settings)
    check_equal(load_encoder(tmp_path / "saved").eval(), made)


@pytest.mark.parametrize("mode", ["mean", "cls"])
@pytest.mark.parametrize("family", ["bert", "xlm_roberta"])
def test_a_pooled_vector_is_theirs(tmp_path, mode, family):
    prompts = {"query": "query: ", "passage": "passage: "}
    pooled(tmp_path, folders.MAKERS[family], prompts=prompts)
    folders.write(tmp_path / "1_Pooling" / "config.json", {"embedding_dimension": 32, "pooling_mode": mode})
    encoder = load_encoder(tmp_path, pooled=True).eval()
    other = peers.SentenceTransformer(str(tmp_path), device="cpu", local_files_only=True)
    for role, name, texts in (("query", "query", QUERIES), ("document", "passage", DOCUMENTS)):
        for text in texts:
            [ours] = encode_texts(encoder, [text], role, POSITIONS)
            vectors = other.encode([text], prompt_name=name)
            np.testing.assert_allclose(ours.numpy(), vectors, atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("family", "roles", "head"),
    [
        ("bert", "plain", "one"),
        ("bert", "markers", "two"),
        ("bert", "all together", "centring"),
        ("xlm_roberta", "plain", "none"),
        ("xlm_roberta", "prefixes", "centring"),
        ("xlm_roberta", "markers", "one"),
        ("xlm_roberta", "augmented", "two"),
        ("xlm_roberta", "all together", "one"),
        ("modernbert", "prefixes", "one"),
        ("deberta", "filled otherwise", "two"),
        ("roberta", "plain", "one"),
    ],
)
def test_they_read_what_is_written_here(tmp_path, family, roles, head):
    encoder = made(tmp_path / "backbone", family, roles, head)
    (tmp_path / "saved").mkdir()
    save_encoder(encoder, tmp_path / "saved", {"query": 20, "document": 30})
    check_equal(encoder, theirs(tmp_path / "saved"), 30, 20)


@pytest.mark.parametrize("family", ["bert", "xlm_roberta", "modernbert", "roberta"])
def test_they_read_a_folder_of_pylate_that_is_written_again(tmp_path, family):
    encoder = load_encoder(pylate(tmp_path / "old", folders.MAKERS[family])).eval()
    (tmp_path / "saved").mkdir()
    save_encoder(encoder, tmp_path / "saved", {"query": 12, "document": 30})
    check_equal(encoder, theirs(tmp_path / "saved"), 30)
    check_equal(encoder, theirs(tmp_path / "old"), 30)


@pytest.mark.parametrize("family", ["bert", "xlm_roberta"])
@pytest.mark.parametrize("roles", ["colbert", "colbert, all score"])
def test_they_read_the_keys_of_colbert_in_the_same_folder(tmp_path, family, roles):
    encoder = made(tmp_path / "backbone", family, roles, "one")
    (tmp_path / "saved").mkdir()
    lengths = {"query": 12, "document": 30}
    save_encoder(encoder, tmp_path / "saved", lengths)
    write_stanford(encoder, tmp_path / "saved", lengths)
    check_equal(encoder, theirs(tmp_path / "saved"), 30)
    if family == "bert" or not encoder.reader.roles.document.silent:  # there they take other tokens for punctuation
        (tmp_path / "saved" / "modules.json").unlink()
        (tmp_path / "saved" / "config_sentence_transformers.json").unlink()
        (tmp_path / "saved" / "sentence_bert_config.json").unlink()
        check_equal(encoder, theirs(tmp_path / "saved"), 30)
