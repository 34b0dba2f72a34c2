"""Exponential and logarithm of eight numbers at once, with the polynomials of the Cephes library (S. Moshier)."""

import numpy as np

from optical.ot.compiled.jit import inlined
from optical.ot.compiled.vector import (
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
def exponential(x):
    """exp(x) for x between -87 and 87 within 2e-7 (the polynomial of the Cephes library), cut off outside."""
    x = larger(smaller(x, splat(np.float32(87))), splat(np.float32(-87)))
    # Added to 1.5 x 2^23, a number loses its fraction, and the nearest integer lies in the last bits of the sum.
    rounded = multiply_add(x, splat(np.float32(1.4426950408889634)), splat(_ROUND))
    power = subtract(rounded, splat(_ROUND))
    x = multiply_add(power, splat(np.float32(-0.693359375)), x)
    x = multiply_add(power, splat(np.float32(2.12194440e-4)), x)
    series = multiply_add(splat(np.float32(1.9875691500e-4)), x, splat(np.float32(1.3981999507e-3)))
    series = multiply_add(series, x, splat(np.float32(8.3334519073e-3)))
    series = multiply_add(series, x, splat(np.float32(4.1665795894e-2)))
    series = multiply_add(series, x, splat(np.float32(1.6666665459e-1)))
    series = multiply_add(series, x, splat(np.float32(0.5)))
    series = add(multiply_add(series, multiply(x, x), x), splat(_ONE))
    return shifted(series, rounded)


@inlined
def logarithm(x):
    """log(x) of positive normal numbers, within 2e-7 of its size or of one."""
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
