"""Checkpoints: weights and optimiser state in safetensors, one artefact per saved step; the newest two are kept.

Frozen parameters are left out: training starts from the folder that has them, and resuming does so too.
"""

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
        encoder: its weights are saved, except the frozen ones.
        optimiser: its state is saved.
        fingerprint: identity of the run.
        after_weights: called between writing the weights and the optimiser's state.

    Raises:
        InfrastructureError: the disk is full or gone; earlier checkpoints are intact and no partial one is left.
    """
    path = folder / f"step-{step:08d}"
    with writing_to_disk(path), artefacts.writing(path, KIND, fingerprint, {"step": step}) as scratch:
        save_file({name: value.contiguous() for name, value in _trained(encoder).items()}, scratch / _WEIGHTS)
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

    Raises:
        DataError: a checkpoint of this run holds other weights than those that are trained.
    """
    for path in reversed(_all(folder)):
        try:
            checkpoint = artefacts.read(path, KIND, fingerprint)
            if checkpoint.info != {"step": _step(path)}:
                raise DataError(path / artefacts.MANIFEST, f"says {checkpoint.info}", "delete the directory")
        except DataError as error:
            warn(f"checkpoint skipped: {error}")
            continue
        _load(encoder, load_file(checkpoint.file(_WEIGHTS)), path)
        _unflatten(optimiser, load_file(checkpoint.file(_OPTIMISER)))
        return _step(path)
    return 0


def check_space(folder: Path, encoder: nn.Module) -> None:
    """Check that the disk has room for the checkpoints that are kept and the one being written.

    Raises:
        InfrastructureError: the disk has less space.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # AdamW keeps two moments for each trained weight.
    moments = 2 * sum(parameter.nbytes for parameter in encoder.parameters() if parameter.requires_grad)
    size = moments + sum(value.nbytes for value in _trained(encoder).values())
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


def _trained(encoder: nn.Module) -> dict[str, torch.Tensor]:
    """All weights, buffers and other state of an encoder, except its frozen parameters."""
    named = encoder.named_parameters(remove_duplicate=False)
    frozen = {name for name, parameter in named if not parameter.requires_grad}
    return {name: value for name, value in encoder.state_dict().items() if name not in frozen}


def _load(encoder: nn.Module, saved: dict[str, torch.Tensor], path: Path) -> None:
    """Load what ``_trained`` gave; nothing is loaded unless names and shapes are the same."""
    shapes, expected = ({name: value.shape for name, value in state.items()} for state in (saved, _trained(encoder)))
    if other := sorted(name for name in shapes.keys() | expected.keys() if shapes.get(name) != expected.get(name)):
        what = f"{other[0]} and {len(other) - 1} more are not the weights that are trained"
        raise DataError(path, what, "delete the checkpoints and rerun")
    encoder.load_state_dict(saved, strict=False)


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
