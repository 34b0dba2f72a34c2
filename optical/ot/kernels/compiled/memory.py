"""Arrays at given addresses and an atomic counter, which numba lacks for functions called from C."""

from collections.abc import Sequence
from typing import Any

from llvmlite import ir
from numba import carray, types
from numba.extending import intrinsic

from optical.ot.kernels.compiled.jit import inlined


def _pointer(kind: types.Type) -> Any:
    """A numba function that converts an address to a pointer to ``kind``."""
    pointer = types.CPointer(kind)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        return builder.inttoptr(values[0], context.get_value_type(pointer))

    @intrinsic
    def at(typing: Any, address: Any) -> Any:
        return pointer(types.int64), generate

    return at


_floats, _doubles, _integers = (_pointer(kind) for kind in (types.float32, types.float64, types.int64))


@inlined
def floats(address, count):
    """The float32 array at an address; empty for address 0."""
    return carray(_floats(address), count if address else 0)


@inlined
def doubles(address, count):
    """The float64 array at an address; empty for address 0."""
    return carray(_doubles(address), count if address else 0)


@inlined
def integers(address, count):
    """The int64 array at an address; empty for address 0."""
    return carray(_integers(address), count if address else 0)


@intrinsic
def fetch_add(typing: Any, counter: Any, count: Any) -> Any:
    """Add ``count`` to ``counter[0]``, an int64, atomically, and return its value before."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        return builder.atomic_rmw("add", data, values[1], "monotonic")

    return types.int64(counter, types.int64), generate
