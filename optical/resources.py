"""The workers of a run and its failure limits. They are not part of fingerprints: a run may move to other machines."""

from dataclasses import dataclass

from optical.errors import UserError


@dataclass(frozen=True, kw_only=True)
class Resources:
    """The workers, their hardware, and their failure limits."""

    num_workers: int = 1
    """Ray Train workers (data-parallel ranks)."""
    min_workers: int = 0
    """Fewest workers to train with if the cluster has no room for ``num_workers``; 0 waits for all of them."""
    use_gpu: bool = False
    """Give each worker a GPU (nccl, students train in bfloat16); without it workers use CPUs (gloo, float32)."""
    threads: int = 0
    """Torch threads per worker; 0 shares this machine's cores between the workers."""
    max_failures: int = 3
    """Worker failures that a run survives; a machine that is removed with notice does not count."""
    rank_timeout: int = 900
    """Seconds that ranks wait for one that hangs before all workers are restarted."""

    def __post_init__(self) -> None:
        for name, least in (("num_workers", 1), ("min_workers", 0), ("threads", 0), ("max_failures", 0)):
            if getattr(self, name) < least:
                raise UserError(name, f"is {getattr(self, name)}", f"set {least} or more")
        if self.rank_timeout < 1:
            raise UserError("rank_timeout", f"is {self.rank_timeout} seconds", "set 1 or more")
        if self.min_workers > self.num_workers:
            what = f"is {self.min_workers}, and num_workers is {self.num_workers}"
            raise UserError("min_workers", what, "set at most num_workers, or 0")

    @property
    def fewest_workers(self) -> int:
        """The number of workers that must find room for training to start."""
        return self.min_workers or self.num_workers
