"""Sums: what a count, a sum and a sum of squares say of the spread of the values behind them."""

from __future__ import annotations

import numbers
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np

from driftline.streams.stats.shares import Array

Sum: TypeAlias = Any
"""A sum as it comes: an int of any size, a Fraction, a float, or an array of such."""


def floats(value: Sum) -> Array:
    """Give a sum, or an array of sums, as float64, each rounded once.

    >>> floats(2**80).item() == 2.0**80
    True

    """
    return np.asarray(value, dtype=np.float64)


def centred_squares(rows: Sum, total: Sum, squares: Sum) -> Array:
    """Sum of squares about the mean, sum (x - mean)^2; NaN without rows, never below 0.

    Args:
        rows: how many values; a number, or an array of shape (...).
        total: their sum, alike.
        squares: the sum of their squares, alike.

    Returns:
        Float64, of shape (...). Numbers are subtracted exactly; arrays in float64, where values that lie far
        from 0 for their spread lose what they should not: sum them about a centre.

    >>> centred_squares(2, 2**60 + 1, 2**119 + 2**60 + 1).item()
    0.5

    """
    if all(np.ndim(value) == 0 for value in (rows, total, squares)):
        n, s, q = _exact(rows), _exact(total), _exact(squares)
        return floats(max(q - s * s / n, 0) if n else np.nan)
    counts = floats(rows)
    found = floats(squares) - floats(total) ** 2 / np.where(counts > 0, counts, np.nan)
    return np.asarray(np.maximum(found, 0.0), dtype=np.float64)


def _exact(value: Sum) -> Fraction:
    if isinstance(value, np.ndarray):
        value = value.item()
    # An int64 is a Rational to Python, and would overflow inside a Fraction.
    return Fraction(int(value) if isinstance(value, numbers.Integral) else value)
