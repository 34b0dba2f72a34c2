"""Checkpoints: weights and optimiser state in safetensors, one artefact per saved step; the newest two are kept."""

import logging
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from optical import artefacts
from optical.errors import DataError, InfrastructureError

KIND = "checkpoint"
_KEEP = 2
_WEIGHTS, _OPTIMISER = "model.safetensors", "optimiser.safetensors"
log = logging.getLogger(__name__)


def save(
    folder: Path,
    step: int,
    encoder: nn.Module,
    optimiser: torch.optim.Optimizer,
    fingerprint: str,
    after_weights: Callable[[], None] = lambda: None,
) -> None:
    """Commit the state after ``step`` updates to ``folder/step-<step>``; keep it and the one before it.

    Checkpoints of later steps belong to an earlier run and are deleted too.

    Args:
        folder: where the checkpoints are.
        step: updates done.
        encoder: its weights are saved.
        optimiser: its state is saved.
        fingerprint: identity of the run.
        after_weights: called between writing the weights and the optimiser's state.

    Raises:
        InfrastructureError: the disk is full or gone; earlier checkpoints are intact and no partial one is left.
    """
    path = folder / f"step-{step:08d}"
    with writing_to_disk(path), artefacts.writing(path, KIND, fingerprint, {"step": step}) as scratch:
        save_file({name: value.contiguous() for name, value in encoder.state_dict().items()}, scratch / _WEIGHTS)
        after_weights()
        save_file(_flatten(optimiser), scratch / _OPTIMISER)
    earlier = [path for path in _all(folder) if _step(path) <= step]
    for path in _all(folder):
        if path not in earlier[-_KEEP:]:
            shutil.rmtree(path, ignore_errors=True)


def restore(
    folder: Path,
    encoder: nn.Module,
    optimiser: torch.optim.Optimizer,
    fingerprint: str,
    warn: Callable[[str], None] = log.warning,
) -> int:
    """Load the newest checkpoint with correct hashes; return its number of updates, 0 without a checkpoint.

    A damaged checkpoint, or one of another run, is skipped with a warning and the one before it is used.
    """
    for path in reversed(_all(folder)):
        try:
            checkpoint = artefacts.read(path, KIND, fingerprint)
            if checkpoint.info != {"step": _step(path)}:
                raise DataError(path / artefacts.MANIFEST, f"says {checkpoint.info}", "delete the directory")
        except DataError as error:
            warn(f"checkpoint skipped: {error}")
            continue
        encoder.load_state_dict(load_file(checkpoint.file(_WEIGHTS)))
        _unflatten(optimiser, load_file(checkpoint.file(_OPTIMISER)))
        return _step(path)
    return 0


def check_space(folder: Path, encoder: nn.Module) -> None:
    """Check that the disk has room for the checkpoints that are kept and the one being written.

    Raises:
        InfrastructureError: the disk has less space.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # AdamW keeps two moments for each weight.
    size = 3 * sum(parameter.numel() * parameter.element_size() for parameter in encoder.parameters())
    needed, free = size * max(1, _KEEP + 1 - len(_all(folder))), shutil.disk_usage(folder).free
    if free < needed:
        what = f"checkpoints need {needed / 1e9:.2f} GB more, and the disk has {free / 1e9:.2f} GB"
        raise InfrastructureError(folder, what, "free the disk, or choose another --runs-dir")


@contextmanager
def writing_to_disk(path: Path) -> Iterator[None]:
    """Convert errors of the disk to ``InfrastructureError``.

    Raises:
        InfrastructureError: the disk is full or gone.
    """
    try:
        yield
    except (OSError, SafetensorError) as error:
        raise InfrastructureError(path, f"cannot be written ({error})", "free the disk and rerun to resume") from error


def _all(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-" + "[0-9]" * 8))


def _step(path: Path) -> int:
    return int(path.name.removeprefix("step-"))


def _parameters(optimiser: torch.optim.Optimizer) -> list[nn.Parameter]:
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]


def _flatten(optimiser: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    return {
        f"{index}.{name}": value.detach().cpu().contiguous()
        for index, parameter in enumerate(_parameters(optimiser))
        for name, value in optimiser.state[parameter].items()
    }


def _unflatten(optimiser: torch.optim.Optimizer, tensors: dict[str, torch.Tensor]) -> None:
    parameters = _parameters(optimiser)
    for key, value in tensors.items():
        index, name = key.split(".", 1)
        parameter = parameters[int(index)]
        # AdamW keeps its step counter on the CPU and its moments on the device of the parameter.
        optimiser.state[parameter][name] = value if name == "step" else value.to(parameter.device)
