"""The precision of products: the one place that decides it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

HALF_ON = {"cuda"}
"""Devices on which what is trained on makes its products in bfloat16."""


@contextmanager
def precision(device: str, half: bool) -> Iterator[None]:
    """Make products in bfloat16 where that is wanted and the device is good at it, else in float32.

    Float32 is meant: an autocast around the call is switched off, and so is TF32, which keeps ten bits of a number.

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
    """Where an encoder is trained and in which precision, to be written beside what comes of it."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return {"device": name, "precision": "bfloat16" if device.type in HALF_ON else "float32"}
