"""Vectors of eight floats for numba: one problem per lane, one instruction for all of them.

numba leaves vectors to LLVM's optimiser, which does not find this pattern by itself. So the vector is a type of its
own here, with just the operations the kernel needs; LLVM turns it into two SSE registers, one AVX register or half
an AVX-512 one. A vector lives in registers only: it is loaded from, and stored to, flat float32 arrays.
"""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, models, register_model

LANES = 8

_LLVM = ir.VectorType(ir.FloatType(), LANES)
_INDEX = ir.IntType(32)
_INTEGERS = ir.VectorType(_INDEX, LANES)


class _VectorType(types.Type):
    def __init__(self) -> None:
        super().__init__(name=f"float32x{LANES}")


_VECTOR = _VectorType()


@register_model(_VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: _VectorType) -> None:
        super().__init__(manager, kind, _LLVM)


def _elementwise(name: str, result: types.Type, operands: tuple[types.Type, ...], build: Callable) -> Any:
    """A numba function of one, two or three operands that becomes the instructions ``build(builder, *values)``."""
    signature = result(*operands)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        return build(builder, *values)

    bodies = {
        1: lambda typing, x: (signature, generate),
        2: lambda typing, x, y: (signature, generate),
        3: lambda typing, x, y, z: (signature, generate),
    }
    body = bodies[len(operands)]
    body.__name__ = body.__qualname__ = name
    return intrinsic(body)


def _address(context: Any, builder: ir.IRBuilder, kind: types.Array, array: ir.Value, index: ir.Value) -> ir.Value:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _LLVM.as_pointer())


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """The vector of the eight floats that start at ``array[index]``."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        return builder.load(_address(context, builder, signature.args[0], *values), align=4)

    return _VECTOR(array, types.intp), generate


@intrinsic
def store(typing: Any, array: Any, index: Any, vector: Any) -> Any:
    """Write a vector to the eight floats that start at ``array[index]``."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        builder.store(values[2], _address(context, builder, signature.args[0], *values[:2]), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, _VECTOR), generate


@intrinsic
def get(typing: Any, array: Any, index: Any) -> Any:
    """``array[index]`` of a contiguous array, for an index known to be in range and not counted from the end."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        return builder.load(builder.gep(data, [values[1]]))

    return array.dtype(array, types.intp), generate


@intrinsic
def put(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """``array[index] = value``, likewise."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        builder.store(values[2], builder.gep(data, [values[1]]))
        return context.get_dummy_value()

    return types.void(array, types.intp, array.dtype), generate


def _splat(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    undefined = ir.Constant(_LLVM, ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(_INDEX, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(_INTEGERS, [0] * LANES))


def _larger(builder: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    return builder.select(builder.fcmp_ordered(">", x, y), x, y)


def _smaller(builder: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    return builder.select(builder.fcmp_ordered("<", x, y), x, y)


def _least(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    return _folded(builder, x, lambda one, other: _smaller(builder, one, other))


def _folded(builder: ir.IRBuilder, x: ir.Value, combine: Callable) -> ir.Value:
    values = [builder.extract_element(x, ir.Constant(_INDEX, lane)) for lane in range(LANES)]
    while len(values) > 1:
        values = [combine(*pair) for pair in zip(values[::2], values[1::2], strict=True)]
    return values[0]


def _multiply_add(builder: ir.IRBuilder, x: ir.Value, y: ir.Value, z: ir.Value) -> ir.Value:
    return builder.fadd(builder.fmul(x, y, flags=("contract",)), z, flags=("contract",))


def _nearest(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    halves = [ir.Constant(_LLVM, [half] * LANES) for half in (-0.5, 0.5)]
    half = builder.select(builder.fcmp_ordered("<", x, ir.Constant(_LLVM, [0.0] * LANES)), *halves)
    return builder.sitofp(builder.fptosi(builder.fadd(x, half), _INTEGERS), _LLVM)


def _power_of_two(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    exponent = builder.add(builder.fptosi(x, _INTEGERS), ir.Constant(_INTEGERS, [127] * LANES))
    return builder.bitcast(builder.shl(exponent, ir.Constant(_INTEGERS, [23] * LANES)), _LLVM)


def _total(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    return _folded(builder, x, builder.fadd)


def _magnitude(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    return _larger(builder, x, builder.fneg(x))


splat = _elementwise("splat", _VECTOR, (types.float32,), _splat)
add = _elementwise("add", _VECTOR, (_VECTOR, _VECTOR), lambda builder, x, y: builder.fadd(x, y))
subtract = _elementwise("subtract", _VECTOR, (_VECTOR, _VECTOR), lambda builder, x, y: builder.fsub(x, y))
multiply = _elementwise("multiply", _VECTOR, (_VECTOR, _VECTOR), lambda builder, x, y: builder.fmul(x, y))
divide = _elementwise("divide", _VECTOR, (_VECTOR, _VECTOR), lambda builder, x, y: builder.fdiv(x, y))
multiply_add = _elementwise("multiply_add", _VECTOR, (_VECTOR, _VECTOR, _VECTOR), _multiply_add)
larger = _elementwise("larger", _VECTOR, (_VECTOR, _VECTOR), _larger)
smaller = _elementwise("smaller", _VECTOR, (_VECTOR, _VECTOR), _smaller)
magnitude = _elementwise("magnitude", _VECTOR, (_VECTOR,), _magnitude)
least = _elementwise("least", types.float32, (_VECTOR,), _least)
total = _elementwise("total", types.float32, (_VECTOR,), _total)
nearest = _elementwise("nearest", _VECTOR, (_VECTOR,), _nearest)
power_of_two = _elementwise("power_of_two", _VECTOR, (_VECTOR,), _power_of_two)
