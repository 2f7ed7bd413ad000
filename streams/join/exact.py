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
    return exact_sums(values, np.zeros(len(values), np.int64), 1)[0]


def exact_sums(values: NDArray[np.float64], groups: NDArray[np.int64], count: int) -> list[int]:
    """Give the sum of each of `count` groups; `groups` int64 (n,) says of which one each value is.

    >>> [exact_float(one) for one in exact_sums(np.array([0.1, 1.0, 0.2]), np.array([0, 2, 0]), 3)]
    [0.30000000000000004, 0.0, 1.0]
    """
    if len(values) > _AT_ONCE:
        parts = [slice(at, at + _AT_ONCE) for at in range(0, len(values), _AT_ONCE)]
        found = [exact_sums(values[part], groups[part], count) for part in parts]
        return [sum(one) for one in zip(*found, strict=True)]
    totals = [0] * count
    if not len(values):
        return totals
    mantissa, exponent = np.frexp(values)
    whole = np.ldexp(mantissa, _MANTISSA).astype(np.int64)
    least = int(exponent.min())
    powers = int(exponent.max()) - least + 1
    place = groups * powers + (exponent - least)
    high = np.bincount(place, weights=whole >> _LOW_BITS)
    low = np.bincount(place, weights=whole & ((1 << _LOW_BITS) - 1))
    for at in np.flatnonzero((high != 0) | (low != 0)).tolist():
        group, power = divmod(at, powers)
        totals[group] += ((int(high[at]) << _LOW_BITS) + int(low[at])) << (power + least + _LEAST_EXPONENT)
    return totals


def exact_float(total: int) -> float:
    """Give an exact sum as the nearest float64; infinity past its range."""
    try:
        return total / _ONE
    except OverflowError:
        return float("inf") if total > 0 else float("-inf")
