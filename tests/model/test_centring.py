"""Centring: means and directions by hand, what is saved, what is frozen, and the choice by translations."""

import copy
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from optical.errors import DataError, UserError
from optical.model.centring import Moments, _translations_found, centre_on, centred, freeze_centring, moments
from optical.model.encode import encode_texts
from optical.model.encoder import Encoder
from optical.model.head import Normalise, projection
from optical.model.storage import load_encoder, save_encoder
from optical.objectives import pooled
from optical.train import checkpoint
from optical.train.loop import write_encoder
from tests.train import ranks

TEXTS = ["child water school", "river", "book food teacher"]


def bare(encoder: Encoder) -> Encoder:
    """The encoder without its projection: 32 dimensions of a layer norm."""
    return Encoder(encoder.backbone, encoder.reader).eval()


def rows(encoder: Encoder, texts=TEXTS) -> torch.Tensor:
    return torch.cat(encode_texts(encoder, texts, "document", 16))


def test_moments_by_hand():
    found = moments([torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[-1.0, 0.0], [0.0, 1.0]])])
    assert found.mean.tolist() == [0.0, 0.5]
    assert found.variances.tolist() == pytest.approx([0.5, 0.25])
    assert found.directions.abs().tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert found.mean.dtype == torch.float64


@pytest.mark.parametrize("projected", [False, True])
def test_the_mean_is_removed_before_the_last_normalisation(encoder, projected):
    encoder = encoder if projected else bare(encoder)
    before, found = rows(encoder), moments([rows(encoder)])
    moved = centred(encoder, found)
    wanted = nn.functional.normalize(before.double() - found.mean, dim=1).float()
    torch.testing.assert_close(rows(moved), wanted, atol=1e-5, rtol=0)
    assert torch.equal(rows(encoder), before) and moved.dim == encoder.dim and moved.backbone is encoder.backbone


def test_directions_are_removed_too(encoder):
    encoder = bare(encoder)
    found = moments([rows(encoder)])
    moved = rows(centred(encoder, found, 2)).double()
    assert (moved @ found.directions[:2].T).abs().max() < 1e-5
    assert (moved @ found.directions[2:4].T).abs().max() > 0.1
    by_hand = rows(encoder).double() - found.mean
    by_hand -= sum((by_hand @ one)[:, None] * one for one in found.directions[:2])
    torch.testing.assert_close(moved, nn.functional.normalize(by_hand, dim=1), atol=1e-5, rtol=0)


def test_directions_are_fewer_than_dimensions(encoder):
    found = Moments(torch.zeros(16).double(), torch.eye(16).double(), torch.ones(16).double())
    assert centred(encoder, found, 15).dim == 16
    with pytest.raises(UserError, match=r"^teacher.centre_directions: is 16, and the vectors have 16 dimensions"):
        centred(encoder, found, 16)


@pytest.mark.parametrize("directions", [0, 3])
def test_a_saved_encoder_comes_back_to_the_bit(encoder, tmp_path, directions):
    moved = centred(encoder, moments([rows(encoder)]), directions)
    save_encoder(moved, tmp_path)
    loaded = load_encoder(tmp_path).eval()
    assert [type(layer) for layer in loaded.head] == [type(layer) for layer in moved.head]
    assert torch.equal(rows(loaded), rows(moved))


def test_the_constant_layers_are_frozen_and_what_stands_before_them_is_not(encoder):
    moved = centred(encoder, moments([rows(encoder)]))
    freeze_centring(moved)
    trained = [[parameter.requires_grad for parameter in layer.parameters()] for layer in moved.head]
    assert trained == [[True], [], [False, False]]
    assert all(parameter.requires_grad for parameter in moved.backbone.parameters())
    freeze_centring(encoder)
    assert all(parameter.requires_grad for parameter in encoder.parameters())


def centred_job(new_job, encoder, name: str, **train):
    """A distillation that starts from a centred teacher, and its fixed layer."""
    job = replace(new_job(name, **train), objective=pooled.Config())
    moved = centred(encoder, moments([rows(encoder)]), 1)
    write_encoder(moved, job.start, "1" * 64)
    return job, copy.deepcopy(moved.head[2].linear.state_dict())


def test_training_leaves_the_constant_layers_and_resumes_with_them(new_job, encoder, tmp_path):
    job, fixed = centred_job(new_job, encoder, "whole", epochs=3)
    ranks.train(job)
    result = load_encoder(job.result)
    assert all(torch.equal(value, fixed[name]) for name, value in result.head[2].linear.state_dict().items())
    assert not torch.equal(result.head[0].linear.weight, encoder.head[0].linear.weight)
    broken, _ = centred_job(new_job, encoder, "broken", epochs=3)

    def stop(rank: int, step: int, place: str) -> None:
        if (step, place) == (13, "step"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ranks.train(broken, stop)
    ranks.train(broken)
    assert ranks.starts(broken) == [0, 10]
    assert ranks.equal(job, broken)


def test_a_checkpoint_leaves_the_constant_layers_out(encoder, tmp_path):
    moved = centred(encoder, moments([rows(encoder)]))
    freeze_centring(moved)
    checkpoint.save(tmp_path, 1, moved, torch.optim.AdamW([moved.head[0].linear.weight]), "f" * 64)
    saved = load_file(tmp_path / "step-00000001" / "model.safetensors")
    assert "head.0.linear.weight" in saved and not any(name.startswith("head.2") for name in saved)


def test_two_ranks_train_a_centred_student_like_one(new_job, encoder):
    one, _ = centred_job(new_job, encoder, "one", epochs=1)
    two, _ = centred_job(new_job, encoder, "two", epochs=1)
    ranks.train(one)
    assert ranks.finish(ranks.start(two, 2)) == [0, 0]
    assert ranks.distance(one, two) < 1e-4


def shifted(encoder: Encoder, by: float) -> Encoder:
    """An encoder whose unit vectors have a large common part, which hides what tells them apart."""
    torch.manual_seed(5)
    common = torch.zeros(32)
    common[0] = by
    return Encoder(encoder.backbone, encoder.reader, nn.Sequential(projection(torch.eye(32), common))).eval()


def test_the_choice_goes_both_ways(encoder, bitext, monkeypatch):
    passages = [target for _, target in bitext]
    plain = shifted(bare(encoder), 40.0)
    measured = iter([0.5, 0.4, 0.5, 0.6, 0.5, 0.5, 0.5, 0.4])
    monkeypatch.setattr("optical.model.centring._translations_found", lambda queries, documents: next(measured))
    kept, facts = centre_on(plain, passages, bitext, only_if_better=True)
    assert kept is plain and facts["centring"].endswith("0.500 without, 0.400 with it (MRR); not taken")
    taken, facts = centre_on(plain, passages, bitext, only_if_better=True)
    assert isinstance(taken.head[1], Normalise) and facts["centring"].endswith("; taken")
    assert facts["mean_length"] > 0.9
    same, _ = centre_on(plain, passages, bitext, only_if_better=True)
    assert same is plain
    always, facts = centre_on(plain, passages, bitext)
    assert always is not plain and (facts["mrr_plain"], facts["mrr_centred"]) == (0.5, 0.4)


def test_translations_are_found_by_rank(encoder, bitext):
    targets = list(dict.fromkeys(target for _, target in bitext))[:30]
    vectors = encode_texts(encoder, targets, "query", 32)
    assert _translations_found(vectors, vectors) == pytest.approx(1.0)
    assert _translations_found(vectors, [*vectors[1:], vectors[0]]) <= 0.5


def test_the_gain_is_judged_on_centred_vectors(encoder, bitext):
    passages = [target for _, target in bitext]
    plain = shifted(bare(encoder), 40.0)
    moved, facts = centre_on(plain, passages, bitext)
    for name, one in (("mrr_plain", plain), ("mrr_centred", moved)):
        texts = zip(zip(*bitext, strict=True), ("query", "document"), strict=True)
        sides = (encode_texts(one, side, role, 128) for side, role in texts)
        assert facts[name] == pytest.approx(_translations_found(*sides), abs=1e-6)


def test_no_readable_pair_is_told(encoder):
    with pytest.raises(DataError, match=r"^centring: there are 0 passages to learn from and 0 pairs"):
        centre_on(encoder, [" "], [(" ", "")])
