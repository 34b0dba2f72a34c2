"""Nodes come and go while a run trains, and it trains on the same batches all the same."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
import ray
from ray.cluster_utils import Cluster

from optical.cluster import connect
from optical.resources import Resources
from optical.train import ray as fitting
from tests.train.faults import Fault, hang
from tests.train.ranks import distance, losses, starts, train

pytestmark = [pytest.mark.ray, pytest.mark.chaos, pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

ELASTIC = Resources(num_workers=2, min_workers=1, threads=1, max_failures=2, rank_timeout=60)
NODE = {"num_cpus": 1, "object_store_memory": 80 << 20}
SECONDS = 200


@dataclass(frozen=True)
class Places:
    """Two steps at which the run waits for the cluster to change, and a log of the ranks that began each step."""

    pauses: tuple[Fault, ...]
    log: Path

    def __call__(self, rank: int, step: int, place: str) -> None:
        if place == "step":
            with self.log.open("a") as log:
                log.write(f"{step} {rank}\n")
        for pause in self.pauses:
            pause(rank, step, place)

    @property
    def ranks(self) -> set[tuple[int, int]]:
        """Step and rank of all that was begun."""
        return {tuple(map(int, line.split())) for line in self.log.read_text().splitlines()}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    """A head with room for one worker, and this process joined to it as a submitted job is."""
    ray.shutdown()
    made = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    monkeypatch.setenv("RAY_ADDRESS", made.address)
    monkeypatch.setattr(fitting, "ScalingConfig", partial(fitting.ScalingConfig, elastic_resize_monitor_interval_s=1))
    connect(ELASTIC)
    yield made
    ray.shutdown()
    made.shutdown()


def waits(pause: Fault) -> bool:
    """Whether the run has come to a pause, within the time it may take."""
    ticks = threading.Event()
    return any(pause.count or ticks.wait(0.2) for _ in range(5 * SECONDS))


def test_a_run_grows_and_shrinks_with_its_cluster(new_job, cluster: Cluster, tmp_path: Path):
    job, straight = new_job(), new_job("straight")
    train(straight)
    alone, together = (Fault(hang, "step", step, tmp_path / f"pause-{step}") for step in (12, 22))
    places = Places((alone, together), tmp_path / "ranks")
    with ThreadPoolExecutor(1) as pool:
        # Ray's nodes are started by the main thread only.
        run = pool.submit(fitting.fit, job, ELASTIC, hook=places)
        assert waits(alone)
        node = cluster.add_node(**NODE)
        assert waits(together)
        cluster.remove_node(node, allow_graceful=False)
        run.result(SECONDS)
    assert starts(job) == [0, 10, 20]
    shared = {step for step, rank in places.ranks if rank == 1}
    assert set(range(11, 22)) <= shared <= set(range(11, 23)), "one rank before and after"
    assert len(losses(job)) == len(losses(straight)) == 30
    assert losses(job) == pytest.approx(losses(straight), rel=1e-3)
    assert distance(job, straight) < 1e-3
