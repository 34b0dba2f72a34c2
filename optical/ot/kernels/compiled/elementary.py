"""Powers of two and logarithms of eight numbers at once."""

import numpy as np

from optical.ot.kernels.compiled.jit import inlined
from optical.ot.kernels.compiled.vector import (
    add,
    exponent,
    larger,
    multiply,
    multiply_add,
    shifted,
    significand,
    smaller,
    splat,
    subtract,
)

_ONE = np.float32(1)
_ROUND = np.float32(1.5 * 2**23)


@inlined
def exp2(x):
    """2^x with relative error 2e-7, for x clamped to [-126, 126].

    The polynomial has degree five and is exact at 0; its largest relative error on [-1/2, 1/2] is the least possible
    (Remez), 9e-8.
    """
    x = larger(smaller(x, splat(np.float32(126))), splat(np.float32(-126)))
    # Adding 1.5 x 2^23 rounds to the nearest integer, which is then in the last bits of the sum.
    rounded = add(x, splat(_ROUND))
    x = subtract(x, subtract(rounded, splat(_ROUND)))
    series = multiply_add(splat(np.float32(1.3264728e-3)), x, splat(np.float32(9.6715130e-3)))
    series = multiply_add(series, x, splat(np.float32(5.5507336e-2)))
    series = multiply_add(series, x, splat(np.float32(0.24022242)))
    series = multiply_add(series, x, splat(np.float32(0.69314700)))
    return shifted(multiply_add(series, x, splat(_ONE)), rounded)


@inlined
def logarithm(x):
    """log(x) of positive normal numbers with an error of 2e-7 max(1, |log x|) (polynomial of the Cephes library)."""
    power, x = exponent(x), significand(x)
    x = subtract(x, splat(_ONE))
    square = multiply(x, x)
    series = multiply_add(splat(np.float32(7.0376836292e-2)), x, splat(np.float32(-1.1514610310e-1)))
    series = multiply_add(series, x, splat(np.float32(1.1676998740e-1)))
    series = multiply_add(series, x, splat(np.float32(-1.2420140846e-1)))
    series = multiply_add(series, x, splat(np.float32(1.4249322787e-1)))
    series = multiply_add(series, x, splat(np.float32(-1.6668057665e-1)))
    series = multiply_add(series, x, splat(np.float32(2.0000714765e-1)))
    series = multiply_add(series, x, splat(np.float32(-2.4999993993e-1)))
    series = multiply_add(series, x, splat(np.float32(3.3333331174e-1)))
    series = multiply(multiply(series, x), square)
    series = multiply_add(power, splat(np.float32(-2.12194440e-4)), series)
    series = multiply_add(splat(np.float32(-0.5)), square, series)
    return multiply_add(power, splat(np.float32(0.693359375)), add(x, series))
