"""Checkpoints: weights and optimiser state in safetensors, one artefact per step, the newest two kept."""

import logging
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from optical import artefacts
from optical.errors import DataError

KIND = "checkpoint"
_KEEP = 2
_WEIGHTS, _OPTIMISER = "model.safetensors", "optimiser.safetensors"
log = logging.getLogger(__name__)


def save(folder: Path, step: int, encoder: nn.Module, optimiser: torch.optim.Optimizer, fingerprint: str) -> None:
    """Commit the state after ``step`` updates to ``folder/step-<step>``; keep it and the one before it.

    Steps beyond this one are of a run that is no longer there, and are dropped too.
    """
    with artefacts.writing(folder / f"step-{step:08d}", KIND, fingerprint, {"step": step}) as scratch:
        save_file({name: value.contiguous() for name, value in encoder.state_dict().items()}, scratch / _WEIGHTS)
        save_file(_flatten(optimiser), scratch / _OPTIMISER)
    earlier = [path for path in sorted(folder.glob("step-*")) if _step(path) <= step]
    for path in folder.glob("step-*"):
        if path not in earlier[-_KEEP:]:
            shutil.rmtree(path, ignore_errors=True)


def restore(folder: Path, encoder: nn.Module, optimiser: torch.optim.Optimizer, fingerprint: str) -> int:
    """Load the newest checkpoint whose every hash holds; return the number of updates it has seen, 0 if none.

    A damaged checkpoint is skipped with a warning and the one before it is used.
    """
    for path in sorted(folder.glob("step-*"), reverse=True):
        try:
            checkpoint = artefacts.read(path, KIND, fingerprint)
        except DataError as error:
            log.warning("checkpoint skipped: %s", error)
            continue
        encoder.load_state_dict(load_file(checkpoint.file(_WEIGHTS)))
        _unflatten(optimiser, load_file(checkpoint.file(_OPTIMISER)))
        return checkpoint.info["step"]
    return 0


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
        # AdamW keeps its step counter on the CPU and its moments beside the parameter.
        optimiser.state[parameter][name] = value if name == "step" else value.to(parameter.device)
