"""Values that options take: numbers that are finite, and times that windows can have."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import click

TIME_FORMATS = ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ")


class FiniteRange(click.FloatRange):
    """A range of finite numbers; click's own lets NaN through every bound."""

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the number, or refuse it as wrong usage."""
        number = float(super().convert(value, param, ctx))
        if not math.isfinite(number):
            self.fail(f"{value} is no finite number", param, ctx)
        return number


class Moment(click.DateTime):
    """A time in UTC from 1970 to 2199: before and after it there are no events."""

    def __init__(self) -> None:
        """Take the formats of `TIME_FORMATS`."""
        super().__init__(TIME_FORMATS)

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Return the time with its zone, or refuse it as wrong usage."""
        from driftline.schemas.wire import MAX_TIME_MS

        moment: datetime = super().convert(value, param, ctx).replace(tzinfo=UTC)
        if not 0 <= moment.timestamp() * 1000 < MAX_TIME_MS:
            self.fail(f"{value} lies outside 1970 to 2199", param, ctx)
        return moment


def milliseconds(moment: datetime | None) -> int | None:
    """What `Moment` gave, in ms since 1970; None of none.

    >>> milliseconds(datetime(1970, 1, 2, tzinfo=UTC))
    86400000
    """
    return None if moment is None else round(moment.timestamp() * 1_000)


def check_span(since: datetime | None, until: datetime | None) -> None:
    """Refuse a span that holds no time, as wrong usage; None is no end."""
    if since is not None and until is not None and since >= until:
        raise click.UsageError(
            f"--since {since:%Y-%m-%dT%H:%M:%SZ} is not before --until {until:%Y-%m-%dT%H:%M:%SZ}: give a later --until"
        )
