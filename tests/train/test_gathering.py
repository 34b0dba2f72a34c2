"""The contrastive objective over several ranks: the same loss, gradient and update as on one."""

import multiprocessing
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from optical.data.batches.batch import PairBatch
from optical.model.encoder import Encoder
from optical.model.storage import load_encoder
from optical.model.text.padding import TokenBatch, pad
from optical.objectives.contrastive import Config, InBatchContrastive
from optical.tracking.journal import rows
from optical.train.config import TrainConfig
from optical.train.optimiser import build_optimiser
from optical.train.step import update
from tests.readers import FRAME, ids_of
from tests.train.ranks import distance, finish, losses, start, train


@pytest.fixture
def batch(bitext, tokenizer) -> PairBatch:
    """Five pairs: two have the same target, one has no mined negative, one the target of another as its negative."""
    sources, targets = (ids_of(tokenizer, [pair[side] for pair in bitext[:10]]) for side in (0, 1))
    targets[3] = targets[0]
    negatives = [targets[5], targets[6], targets[2], targets[7], targets[1]]
    source, target, negative = (pad(ids, FRAME) for ids in (sources[:5], targets[:5], negatives))
    return PairBatch(0, 5, source, target, torch.ones(5), negative=negative)


def trimmed(tokens: TokenBatch) -> TokenBatch:
    longest = int(tokens.mask.sum(1).max())
    return TokenBatch(**{name: value[:, :longest] for name, value in vars(tokens).items()})


def share(batch: PairBatch, rank: int, ranks: int) -> PairBatch:
    """A rank's pairs, padded to its own longest; the first pair at weight zero where there is none for it."""
    there = rank < len(batch.weight)
    part = batch.rows(slice(rank, None, ranks) if there else slice(0, 1))
    sides = {name: trimmed(getattr(part, name)) for name in ("source", "target", "negative")}
    return replace(part, weight=part.weight * there, **sides)


def gradients(encoder: Encoder, model: torch.nn.Module, batch: PairBatch) -> dict[str, torch.Tensor]:
    """Gradients of one update, and its loss and accuracy, at a learning rate of zero."""
    optimiser = build_optimiser(encoder, TrainConfig())
    done = update(model, InBatchContrastive(None, 0.1), optimiser, batch, 0.0, 1e9)
    found = {name: parameter.grad for name, parameter in encoder.named_parameters()}
    return found | {"loss": torch.tensor(done.loss), "accuracy": torch.tensor(done.observed["in_batch_accuracy"])}


def _rank(rank: int, ranks: int, folder, encoder_folder, batch: PairBatch) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", f"file://{folder}/rendezvous", timedelta(seconds=60), ranks, rank)
    encoder = load_encoder(encoder_folder).train()
    found = gradients(encoder, DistributedDataParallel(encoder), share(batch, rank, ranks))
    torch.save(found, folder / f"{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


@pytest.mark.parametrize(("pairs", "ranks"), [(5, 2), (5, 3), (1, 2)])
def test_every_rank_has_the_gradient_of_the_whole_batch(encoder_folder, batch, tmp_path, pairs, ranks):
    batch = replace(batch.rows(slice(pairs)), global_pairs=pairs)
    encoder = load_encoder(encoder_folder).train()
    alone = gradients(encoder, encoder, batch)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    run = partial(_rank, ranks=ranks, folder=tmp_path, encoder_folder=encoder_folder, batch=batch)
    processes = [context.Process(target=run, args=(rank,), daemon=True) for rank in range(ranks)]
    for process in processes:
        process.start()
    assert finish(processes) == [0] * ranks
    assert alone["loss"] > 0
    for rank in range(ranks):
        found = torch.load(tmp_path / f"{rank}.pt")
        assert found.keys() == alone.keys()
        for name, value in alone.items():
            largest = max(1.0, value.abs().max().item())
            assert (found[name] - value).abs().max() < 2e-6 * largest, name


def test_a_teacher_of_two_workers_is_that_of_one(new_job):
    job = {"objective": Config(temperature=0.1), "teacher": None}
    alone, together = (replace(new_job(name, epochs=2), **job) for name in ("alone", "together"))
    train(alone)
    assert finish(start(together, 2)) == [0, 0]
    assert losses(together) == pytest.approx(losses(alone), rel=1e-3)
    first, second = (
        [row["in_batch_accuracy"] for row in rows(one.journal) if row["event"] == "step"] for one in (alone, together)
    )
    assert first == pytest.approx(second, abs=1e-6)
    assert distance(together, alone) < 1e-3
