"""Numbers that options take: `nan` and `inf` are numbers to Python, and to no option."""

from __future__ import annotations

import math

import click


class FiniteRange(click.FloatRange):
    """A range of finite numbers; click's own lets NaN through every bound."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number, or refuse it as wrong usage."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number", param, ctx)
        return number
