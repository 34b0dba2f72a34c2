"""Vectors of eight floats for numba: one instruction for eight cells.

numba relies on LLVM to vectorise loops, and LLVM does not vectorise sums whose order is fixed. So vectors have a type
here, with the operations that the kernel needs. LLVM compiles it to two SSE registers, one AVX register or half an
AVX-512 register. Vectors are loaded from and stored to flat float32 arrays.
"""

from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LANES = 8

_LLVM = ir.VectorType(ir.FloatType(), LANES)
_INDEX = ir.IntType(32)
_INTEGERS = ir.VectorType(_INDEX, LANES)
_ROOT_HALF = 0x3F3504F3
"""The bits of sqrt(1/2)."""


class _VectorType(types.Type):
    def __init__(self) -> None:
        super().__init__(name=f"float32x{LANES}")


_VECTOR = _VectorType()


@register_model(_VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: _VectorType) -> None:
        super().__init__(manager, kind, _LLVM)


def _elementwise(name: str, result: types.Type, operands: tuple[types.Type, ...], build: Callable) -> Any:
    """A numba function of one, two, three or eight operands, which emits ``build(builder, *values)``."""
    signature = result(*operands)

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        return build(builder, *values)

    bodies = {
        1: lambda typing, x: (signature, generate),
        2: lambda typing, x, y: (signature, generate),
        3: lambda typing, x, y, z: (signature, generate),
        8: lambda typing, s, t, u, v, w, x, y, z: (signature, generate),
    }
    body = bodies[len(operands)]
    body.__name__ = body.__qualname__ = name
    return intrinsic(body)


def _address(context: Any, builder: ir.IRBuilder, kind: types.Array, array: ir.Value, index: ir.Value) -> ir.Value:
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _LLVM.as_pointer())


@intrinsic
def load(typing: Any, array: Any, index: Any) -> Any:
    """The eight floats that start at ``array[index]``."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        return builder.load(_address(context, builder, signature.args[0], *values), align=4)

    return _VECTOR(array, types.intp), generate


@intrinsic
def load_first(typing: Any, array: Any, index: Any, count: Any, other: Any) -> Any:
    """The ``count`` floats that start at ``array[index]``, and ``other`` in the remaining lanes, which are not read."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        address = _address(context, builder, signature.args[0], *values[:2])
        arguments = [address.type, _INDEX, ir.VectorType(ir.IntType(1), LANES), _LLVM]
        kind, name = ir.FunctionType(_LLVM, arguments), f"llvm.masked.load.v{LANES}f32.p0v{LANES}f32"
        masked = cgutils.get_or_insert_function(builder.module, kind, name)
        return builder.call(masked, [address, ir.Constant(_INDEX, 4), _first(builder, values[2]), values[3]])

    return _VECTOR(array, types.intp, types.intp, _VECTOR), generate


@intrinsic
def load_all(typing: Any, array: Any, index: Any) -> Any:
    """``array[index]`` in every lane."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        return _splat(builder, builder.load(builder.gep(data, [values[1]])))

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
    """``array[index]`` of a contiguous array, without a check of the index, which must not be negative."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        return builder.load(builder.gep(data, [values[1]]))

    return array.dtype(array, types.intp), generate


@intrinsic
def put(typing: Any, array: Any, index: Any, value: Any) -> Any:
    """``array[index] = value``, under the same conditions as ``get``."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, values: Sequence[ir.Value]) -> ir.Value:
        data = context.make_array(signature.args[0])(context, builder, values[0]).data
        builder.store(values[2], builder.gep(data, [values[1]]))
        return context.get_dummy_value()

    return types.void(array, types.intp, array.dtype), generate


def _splat(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    first = builder.insert_element(ir.Constant(_LLVM, ir.Undefined), value, ir.Constant(_INDEX, 0))
    return _shuffled(builder, first, first, [0] * LANES)


def _shuffled(builder: ir.IRBuilder, x: ir.Value, y: ir.Value, lanes: Sequence[int]) -> ir.Value:
    """Lanes of ``x`` (0 to 7) and ``y`` (8 to 15) in another order."""
    return builder.shuffle_vector(x, y, ir.Constant(_INTEGERS, list(lanes)))


def _first(builder: ir.IRBuilder, count: ir.Value) -> ir.Value:
    """A mask of the first ``count`` lanes."""
    undefined = ir.Constant(_INTEGERS, ir.Undefined)
    counts = builder.insert_element(undefined, builder.trunc(count, _INDEX), ir.Constant(_INDEX, 0))
    counts = _shuffled(builder, counts, undefined, [0] * LANES)
    return builder.icmp_signed("<", ir.Constant(_INTEGERS, list(range(LANES))), counts)


def _larger(builder: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    return builder.select(builder.fcmp_ordered(">", x, y), x, y)


def _smaller(builder: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    return builder.select(builder.fcmp_ordered("<", x, y), x, y)


def _multiply_add(builder: ir.IRBuilder, x: ir.Value, y: ir.Value, z: ir.Value) -> ir.Value:
    return builder.fadd(builder.fmul(x, y, flags=("contract",)), z, flags=("contract",))


def _magnitude(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    bits = builder.and_(builder.bitcast(x, _INTEGERS), ir.Constant(_INTEGERS, [0x7FFFFFFF] * LANES))
    return builder.bitcast(bits, _LLVM)


def _shifted(builder: ir.IRBuilder, x: ir.Value, power: ir.Value) -> ir.Value:
    exponents = builder.shl(builder.bitcast(power, _INTEGERS), ir.Constant(_INTEGERS, [23] * LANES))
    return builder.bitcast(builder.add(builder.bitcast(x, _INTEGERS), exponents), _LLVM)


def _exponent(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    bits = builder.sub(builder.bitcast(x, _INTEGERS), ir.Constant(_INTEGERS, [_ROOT_HALF] * LANES))
    return builder.sitofp(builder.ashr(bits, ir.Constant(_INTEGERS, [23] * LANES)), _LLVM)


def _significand(builder: ir.IRBuilder, x: ir.Value) -> ir.Value:
    bits = builder.sub(builder.bitcast(x, _INTEGERS), ir.Constant(_INTEGERS, [_ROOT_HALF] * LANES))
    fraction = builder.and_(bits, ir.Constant(_INTEGERS, [0x7FFFFF] * LANES))
    return builder.bitcast(builder.add(fraction, ir.Constant(_INTEGERS, [_ROOT_HALF] * LANES)), _LLVM)


def _folded(builder: ir.IRBuilder, x: ir.Value, combine: Callable) -> ir.Value:
    """The eight lanes combined into one number, by halves."""
    for lanes in ((4, 5, 6, 7, 0, 1, 2, 3), (2, 3, 0, 1, 6, 7, 4, 5), (1, 0, 3, 2, 5, 4, 7, 6)):
        x = combine(builder, x, _shuffled(builder, x, x, lanes))
    return builder.extract_element(x, ir.Constant(_INDEX, 0))


def _sums(builder: ir.IRBuilder, *rows: ir.Value) -> ir.Value:
    """The sum of each of eight vectors, as one vector: each step adds halves of two vectors and packs them into one.

    One operand of each addition keeps its lanes in place (a blend, which is cheap); only the other is shuffled.
    """
    for kept, moved in (
        ((0, 1, 2, 3, 12, 13, 14, 15), (4, 5, 6, 7, 8, 9, 10, 11)),
        ((0, 1, 10, 11, 4, 5, 14, 15), (2, 3, 8, 9, 6, 7, 12, 13)),
        ((0, 9, 2, 11, 4, 13, 6, 15), (1, 8, 3, 10, 5, 12, 7, 14)),
    ):
        pairs = zip(rows[: len(rows) // 2], rows[len(rows) // 2 :], strict=True)
        rows = [builder.fadd(_shuffled(builder, x, y, kept), _shuffled(builder, x, y, moved)) for x, y in pairs]
    return rows[0]


splat = _elementwise("splat", _VECTOR, (types.float32,), _splat)
add = _elementwise("add", _VECTOR, (_VECTOR,) * 2, lambda builder, x, y: builder.fadd(x, y))
subtract = _elementwise("subtract", _VECTOR, (_VECTOR,) * 2, lambda builder, x, y: builder.fsub(x, y))
multiply = _elementwise("multiply", _VECTOR, (_VECTOR,) * 2, lambda builder, x, y: builder.fmul(x, y))
divide = _elementwise("divide", _VECTOR, (_VECTOR,) * 2, lambda builder, x, y: builder.fdiv(x, y))
multiply_add = _elementwise("multiply_add", _VECTOR, (_VECTOR,) * 3, _multiply_add)
larger = _elementwise("larger", _VECTOR, (_VECTOR,) * 2, _larger)
smaller = _elementwise("smaller", _VECTOR, (_VECTOR,) * 2, _smaller)
magnitude = _elementwise("magnitude", _VECTOR, (_VECTOR,), _magnitude)
# x 2^k, where k is in the low bits of ``power``, as after adding 1.5 x 2^23.
shifted = _elementwise("shifted", _VECTOR, (_VECTOR,) * 2, _shifted)
# x = significand 2^exponent for positive normal x, with the significand between sqrt(1/2) and sqrt(2).
exponent = _elementwise("exponent", _VECTOR, (_VECTOR,), _exponent)
significand = _elementwise("significand", _VECTOR, (_VECTOR,), _significand)
# x in the first ``count`` lanes, y in the others.
keep_first = _elementwise(
    "keep_first",
    _VECTOR,
    (types.intp, _VECTOR, _VECTOR),
    lambda builder, count, x, y: builder.select(_first(builder, count), x, y),
)
least = _elementwise("least", types.float32, (_VECTOR,), lambda builder, x: _folded(builder, x, _smaller))
total = _elementwise("total", types.float32, (_VECTOR,), lambda builder, x: _folded(builder, x, ir.IRBuilder.fadd))
# The sums of eight vectors, as one vector.
sums = _elementwise("sums", _VECTOR, (_VECTOR,) * LANES, _sums)
