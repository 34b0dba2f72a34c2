"""A distillation of the tiny encoder that takes a second."""

from collections.abc import Callable

import pytest

from optical.objectives.config import ObjectiveConfig
from optical.train.config import TrainConfig
from optical.train.job import TrainJob
from optical.train.loop import write_encoder


@pytest.fixture
def new_job(tokens, encoder, tmp_path) -> Callable[..., TrainJob]:
    """Makes a distillation in a folder of its own; 5 steps an epoch, a checkpoint every 10."""
    write_encoder(encoder, tmp_path / "start", "1" * 64)

    def make(name: str = "student", **train: object) -> TrainJob:
        cadence = {"epochs": 6, "checkpoint_steps": 10, "dev_steps": 20}
        sizes = {"batch_pairs": 16, "source_length": 8, "target_length": 8}
        return TrainJob(
            stage="student",
            fingerprint="2" * 64,
            tokens=tokens,
            start=tmp_path / "start",
            teacher=tmp_path / "start",
            folder=tmp_path / name,
            train=TrainConfig(**(cadence | sizes | {"learning_rate": 5e-3} | train)),
            objective=ObjectiveConfig(),
        )

    return make
