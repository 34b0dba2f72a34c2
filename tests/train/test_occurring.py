"""Which word embeddings training moves, through the whole loop: those that occur, all, or none."""

import dataclasses

import numpy as np
import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch.nn.parallel import DistributedDataParallel

from optical.data.batches.config import MixtureConfig
from optical.data.batches.token_shards import open_tokens
from optical.data.batches.tokenise import with_negatives, write_tokens
from optical.errors import DataError
from optical.model.trained_rows import TrainedRows
from optical.tracking.journal import rows
from optical.train import occurring
from optical.train.loop import Worker
from optical.train.occurring import occurring_ids
from tests.conftest import WORDS
from tests.readers import FRAMES
from tests.train.ranks import batches, equal, losses, train, weights

PAIRS = [([2, 9, 3], [2, 5, 3]), ([2, 11, 9, 3], [2, 6, 7, 3]), ([2, 4, 3], [2, 5, 3]), ([2, 20, 3], [2, 21, 3])]


@pytest.fixture
def few(tmp_path, id_table):
    """Three training pairs in three row groups and two files; the last pair is held out."""
    sizes = {"rows_per_group": 1, "rows_per_shard": 2}
    write_tokens(tmp_path / "few", "f" * 64, [id_table([*PAIRS[3:], *PAIRS[:3]])], FRAMES, 4, 1, **sizes)
    return open_tokens(tmp_path / "few")


def word_embeddings(job) -> torch.Tensor:
    return weights(job)[next(name for name in weights(job) if name.endswith("word_embeddings.weight"))]


@pytest.mark.parametrize(
    ("sides", "ids"),
    [
        (("source_ids",), [2, 3, 4, 9, 11]),
        (("target_ids",), [2, 3, 5, 6, 7]),
        (("source_ids", "target_ids"), [2, 3, 4, 5, 6, 7, 9, 11]),
    ],
)
def test_ids_of_every_file_and_row_group_and_none_of_the_held_out(few, sides, ids):
    assert (len(few.shards), len(few.shard)) == (2, 3)
    assert occurring_ids(few, sides, 12).tolist() == ids


def test_an_id_without_an_embedding_is_refused_with_its_file(few):
    with pytest.raises(
        DataError, match=r"train-0000\d.parquet: source_ids has ids from 2 to 11, and there are 11 word"
    ):
        occurring_ids(few, ("source_ids", "target_ids"), 11)


def test_the_sides_that_the_trained_encoder_reads(new_job):
    student = new_job()
    assert student.columns_read == ("source_ids",)
    mono = dataclasses.replace(student.train, mixture=MixtureConfig(mono_share=0.5))
    assert dataclasses.replace(student, train=mono).columns_read == ("source_ids", "mono_ids")
    assert dataclasses.replace(student, teacher=None).columns_read == ("source_ids", "target_ids", "negative_ids")


def test_the_rows_of_source_words_and_special_tokens_are_trained(new_job, tokenizer):
    worker = Worker(new_job(), rank=1)
    embedding = worker.encoder.backbone.get_input_embeddings()
    assert isinstance(embedding, TrainedRows)
    known = [*map(tokenizer.token_to_id, WORDS), *map(tokenizer.token_to_id, ("[PAD]", "[UNK]", "[CLS]", "[SEP]"))]
    held = set(embedding.get_extra_state().tolist())
    assert held == {*known, tokenizer.token_to_id("[MASK]")}


def test_all_rows_are_trained_where_half_of_them_occur(new_job, monkeypatch):
    monkeypatch.setattr(occurring, "_WORTH", 17 / 152)
    job = new_job(epochs=1)
    train(job)
    [start] = [row for row in rows(job.journal) if row["event"] == "start"]
    assert not {"word_rows", "trained_word_rows"} & start.keys()


@pytest.mark.parametrize("mixture", [MixtureConfig(), MixtureConfig(mono_share=0.5)], ids=["bitext", "mono"])
def test_a_run_ends_in_the_bits_of_dense_training(new_job, monkeypatch, mixture):
    settings = {"epochs": 4, "mixture": mixture, "max_grad_norm": 1e9}
    job, dense = new_job(**settings), new_job("dense", **settings)
    train(job)
    monkeypatch.setattr(occurring, "_WORTH", 0)
    train(dense)
    assert equal(job, dense)
    assert losses(job) == losses(dense)
    devs = [[row["dev_spearman"] for row in rows(one.journal) if row["event"] == "dev"] for one in (job, dense)]
    assert devs[0] == devs[1]


def test_a_teacher_ends_in_the_bits_of_dense_training(new_job, monkeypatch, tiny):
    settings = {"epochs": 2, "max_grad_norm": 1e9}
    job, dense = (
        dataclasses.replace(new_job(name, **settings), teacher=None, objective=tiny.objective)
        for name in ("teacher", "dense")
    )
    train(job)
    monkeypatch.setattr(occurring, "_WORTH", 0)
    train(dense)
    assert equal(job, dense)


def test_a_mined_negative_that_is_the_target_of_a_held_out_pair_is_foreseen(new_job, id_table, tiny, tmp_path):
    pairs = [([2, 5, 3], [2, 40, 3]), *[([2, 5 + number, 3], [2, 20 + number, 3]) for number in range(8)]]
    mined = with_negatives([id_table(pairs)], np.zeros(len(pairs), np.int64))
    write_tokens(tmp_path / "mined", "f" * 64, mined, FRAMES, len(pairs), 2, negatives=True)
    job = dataclasses.replace(new_job(epochs=1), tokens=tmp_path / "mined", teacher=None, objective=tiny.objective)
    train(job)
    held = Worker(job, rank=1).encoder.backbone.get_input_embeddings().get_extra_state().tolist()
    assert 40 in held
    assert open_tokens(tmp_path / "mined").has_negatives


def test_frozen_word_embeddings_stay_and_the_rest_learns(new_job):
    job = dataclasses.replace(new_job(epochs=6), word_embeddings="freeze")
    worker = Worker(job)
    before = worker.encoder.backbone.get_input_embeddings().weight.detach().clone()
    moved = {id(parameter) for group in worker.optimiser.param_groups for parameter in group["params"]}
    assert id(worker.encoder.backbone.get_input_embeddings().weight) not in moved
    assert len(moved) == len(list(worker.encoder.parameters())) - 1
    worker.run(batches(worker))
    assert torch.equal(word_embeddings(job), before)
    assert losses(job)[-1] < losses(job)[0] / 1.3
    [start] = [row for row in rows(job.journal) if row["event"] == "start"]
    assert (start["word_rows"], start["trained_word_rows"]) == (len(before), 0)


@pytest.mark.parametrize("word_embeddings", ["train", "freeze"])
def test_a_checkpoint_holds_what_is_trained_and_resumes_to_the_same_bits(new_job, word_embeddings):
    job, straight = (
        dataclasses.replace(new_job(name, epochs=3), word_embeddings=word_embeddings) for name in ("job", "straight")
    )
    train(straight)

    class Stopped(Exception):
        pass

    def stop(rank, step, place):
        if (step, place) == (12, "step"):
            raise Stopped

    with pytest.raises(Stopped):
        train(job, stop)
    saved = load_file(job.checkpoints / "step-00000010" / "model.safetensors")
    widths = {name: value.shape for name, value in saved.items() if "word_embeddings" in name}
    prefix = "backbone.embeddings.word_embeddings"
    trained_rows = {f"{prefix}.rows.weight": (17, 32), f"{prefix}._extra_state": (17,)}
    assert widths == (trained_rows if word_embeddings == "train" else {})
    train(job)
    starts = [row["step"] for row in rows(job.journal) if row["event"] == "start"]
    assert starts[-1] == 10
    assert equal(job, straight)


def test_checkpoints_of_other_rows_are_not_resumed(new_job, monkeypatch):
    job = new_job(epochs=3)
    train(job)
    (job.result / "manifest.json").unlink()
    found = occurring.occurring_ids
    monkeypatch.setattr(occurring, "occurring_ids", lambda *given: np.append(found(*given)[:-1], 151))
    with pytest.raises(DataError, match="^word embeddings: a checkpoint holds 17 rows of other tokens than the 17"):
        train(job)


def test_an_unforeseen_token_stops_training(new_job, monkeypatch):
    found = occurring.occurring_ids
    monkeypatch.setattr(occurring, "occurring_ids", lambda *given: found(*given)[:-1])
    job = new_job(epochs=1)
    with pytest.raises(DataError, match=r"^word embeddings: token id \d+ is in a batch and not in the token shards"):
        train(job)
    assert not job.result.exists()


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("word_embeddings", ["train", "freeze"])
def test_data_parallel_training_uses_every_parameter(new_job, tmp_path, word_embeddings):
    job, alone = (
        dataclasses.replace(new_job(name, epochs=1), word_embeddings=word_embeddings) for name in ("job", "alone")
    )
    train(alone)
    dist.init_process_group("gloo", f"file://{tmp_path}/rendezvous", rank=0, world_size=1)
    try:
        worker = Worker(job, wrap=DistributedDataParallel)
        # The second step raises if a parameter of the first had no gradient.
        worker.run(batches(worker))
    finally:
        dist.destroy_process_group()
    assert losses(job) == pytest.approx(losses(alone), rel=1e-6)
    assert equal(job, alone)
