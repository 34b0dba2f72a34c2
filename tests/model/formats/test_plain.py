"""Backbones of every family: embeddings equal those of transformers."""

import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from optical.model.encode import encode_texts
from optical.model.folder import weights_fingerprint
from optical.model.storage import load_encoder
from tests.model.formats.folders import LONG, MAKERS, POSITIONS, TEXTS, change, dense


def hidden_of_transformers(folder, text: str) -> torch.Tensor:
    tokens = AutoTokenizer.from_pretrained(folder)(text, truncation=True, max_length=POSITIONS, return_tensors="pt")
    with torch.no_grad():
        hidden = AutoModel.from_pretrained(folder).eval()(**tokens).last_hidden_state[0]
    return torch.nn.functional.normalize(hidden, dim=-1)


@pytest.mark.parametrize("family", MAKERS)
def test_a_family_gives_the_vectors_of_transformers(tmp_path, family):
    folder = MAKERS[family](tmp_path)
    encoder = load_encoder(folder).eval()
    assert encoder.positions == POSITIONS
    for text in (*TEXTS, LONG):
        theirs = hidden_of_transformers(folder, text)
        [ours] = encode_texts(encoder, [text], "query", 1000)
        torch.testing.assert_close(ours, theirs, atol=1e-6, rtol=0)
    for text, ours in zip(TEXTS, encode_texts(encoder, TEXTS, "document", 1000), strict=True):
        torch.testing.assert_close(ours, hidden_of_transformers(folder, text), atol=1e-5, rtol=0)


def test_the_fingerprint_of_a_projection_sees_its_settings(tmp_path):
    folder = MAKERS["bert"](tmp_path)
    dense(folder, "1_Dense", 32, 16)
    before = weights_fingerprint(folder)
    change(folder / "1_Dense" / "config.json", activation_function="torch.nn.modules.activation.Tanh")
    assert load_encoder(folder).head[0].activation_name == "Tanh"
    assert weights_fingerprint(folder) != before
