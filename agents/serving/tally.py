"""Tally and Spread: a counter and a histogram of one event loop, which counts in whole numbers without locks.

Those of prometheus_client cost a request five microseconds; these are read by it when it is asked.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from prometheus_client import CollectorRegistry

Labels = tuple[str, ...]
MOST: Final = 10_000
"""Label sets of one metric; further ones are not counted."""


class Tally:
    """A counter; `labels` are the names of what `inc` is given."""

    def __init__(self, name: str, text: str, labels: Sequence[str], *, registry: CollectorRegistry) -> None:
        self.name, self.text, self.labels = name, text, tuple(labels)
        self._held: dict[Labels, list[int]] = {}
        registry.register(self)

    def inc(self, labels: Labels) -> None:
        """Count."""
        count = self._held.get(labels)
        if count is not None:
            count[0] += 1
        elif len(self._held) < MOST:
            self._held[labels] = [1]

    def value(self, *labels: str) -> int:
        """What was counted."""
        return self._held.get(labels, [0])[0]

    def describe(self) -> Iterator[CounterMetricFamily]:
        """Say what it is called."""
        yield CounterMetricFamily(self.name, self.text, labels=self.labels)

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Tell what was counted."""
        family = CounterMetricFamily(self.name, self.text, labels=self.labels)
        for labels, (count,) in list(self._held.items()):
            family.add_metric(labels, count)
        yield family


class Spread:
    """A histogram."""

    def __init__(
        self,
        name: str,
        text: str,
        labels: Sequence[str],
        *,
        buckets: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        self.name, self.text, self.labels = name, text, tuple(labels)
        self._buckets = tuple(buckets)
        self._held: dict[Labels, list[float]] = {}
        """Counts by bucket, that of infinity, and the sum."""
        registry.register(self)

    def observe(self, labels: Labels, value: float) -> None:
        """Take a value in."""
        held = self._held.get(labels)
        if held is None:
            if len(self._held) >= MOST:
                return
            held = self._held[labels] = [0.0] * (len(self._buckets) + 2)
        held[bisect_left(self._buckets, value)] += 1
        held[-1] += value

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """Say what it is called."""
        yield HistogramMetricFamily(self.name, self.text, labels=self.labels)

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Tell what was seen."""
        family = HistogramMetricFamily(self.name, self.text, labels=self.labels)
        for labels, held in list(self._held.items()):
            below, told = 0.0, []
            for bound, count in zip((*map(str, self._buckets), "+Inf"), held[:-1], strict=True):
                below += count
                told.append((bound, below))
            family.add_metric(labels, told, held[-1])
        yield family
