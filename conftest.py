"""The Triton kernel cannot be imported where triton is not installed; its doctests are not collected there."""

from importlib.util import find_spec

collect_ignore = [] if find_spec("triton") else ["optical/ot/kernels/triton/kernel.py"]
