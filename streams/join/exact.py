"""Exact sums of float64: whole numbers in units of 2**-1126, which fit every float and never round.

A float is a whole number of 53 bits times a power of two; those of one power are added as integers, and the powers as
one big Python int. So a sum does not depend on order, parts merge into exactly the whole, and as a float it is what
`math.fsum` gives: rounded once.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

_POINT: Final = 1126
_ONE: Final = 1 << _POINT
_MANTISSA: Final = 53
_LEAST_EXPONENT: Final = _POINT - _MANTISSA
_LOW_BITS: Final = 26
# Halves of at most 27 bits, added as float64 by bincount, stay below 2**53.
_AT_ONCE: Final = 1 << 25


def exact_sum(values: NDArray[np.float64]) -> int:
    """Give the sum of finite float64 (n,), in 2**-1126.

    >>> exact_float(exact_sum(np.array([1e308, 1.0, -1e308])))
    1.0
    """
    if len(values) > _AT_ONCE:
        return sum(exact_sum(values[at : at + _AT_ONCE]) for at in range(0, len(values), _AT_ONCE))
    if not len(values):
        return 0
    mantissa, exponent = np.frexp(values)
    whole = np.ldexp(mantissa, _MANTISSA).astype(np.int64)
    least = int(exponent.min())
    power = exponent - least
    high = np.bincount(power, weights=whole >> _LOW_BITS)
    low = np.bincount(power, weights=whole & ((1 << _LOW_BITS) - 1))
    total = 0
    for at in np.flatnonzero((high != 0) | (low != 0)).tolist():
        total += ((int(high[at]) << _LOW_BITS) + int(low[at])) << (at + least + _LEAST_EXPONENT)
    return total


def exact_float(total: int) -> float:
    """Give an exact sum as the nearest float64; infinity past its range."""
    try:
        return total / _ONE
    except OverflowError:
        return float("inf") if total > 0 else float("-inf")
