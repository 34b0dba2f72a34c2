"""The precision of matrix products: the one place that decides it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

HALF_ON = {"cuda"}
"""Devices on which training multiplies in bfloat16."""


@contextmanager
def precision(device: str, half: bool) -> Iterator[None]:
    """Multiply in bfloat16 if that is wanted and the device is in ``HALF_ON``, else in float32.

    Float32 is exact here: a surrounding autocast is switched off, and so is TF32, which keeps ten bits of a number.

    Args:
        device: type of the device, ``"cpu"`` or ``"cuda"``.
        half: whether bfloat16 is wanted.
    """
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.autocast(device, torch.bfloat16, enabled=half and device in HALF_ON):
            yield
    finally:
        torch.set_float32_matmul_precision(before)


def trained_on(device: torch.device) -> dict[str, str]:
    """The device and the precision of a training, to be stored with the trained encoder."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {"device": name, "precision": "bfloat16" if device.type in HALF_ON else "float32"}
