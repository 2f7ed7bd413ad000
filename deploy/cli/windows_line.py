"""One figure of one window, as `driftline windows` shows it to people and to programs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

# A figure for which the window has not a single row: neither ok nor merely too few.
NO_DATA = "no data"


@dataclass(frozen=True, slots=True)
class Line:
    """One figure of one window, as `driftline windows` shows it.

    Times are milliseconds since 1970, UTC. `verdict` is None for a figure that carries none. The thresholds are the
    iid null's quantile, the effect floor and the reference's own variation, or None. `rows` are those that the figure
    is about, `window_rows` all of the window. `low` and `high` are what `interval` says: the ends of a 95 % interval
    (iid, days), bounds, or the value itself (exact). `labels` of the window's predictions have a label, `coverage` is
    their share.
    """

    deployment: str
    model_version: str
    slot: str
    resolution: str
    window_start_ms: int
    window_end_ms: int
    kind: str
    feature: str
    metric: str
    value: float | None
    null: float | None
    floor: float | None
    block: float | None
    verdict: str | None
    reason: str
    rows: int
    reference_rows: int
    final: bool
    restated: bool
    window_rows: int
    low: float | None = None
    high: float | None = None
    interval: str = ""
    segment: str = ""
    labels: int = 0
    coverage: float | None = None
    provisional: bool = False

    @property
    def state(self) -> str:
        """The verdict as shown: a window without a single row for this figure is "no data"."""
        if self.verdict == "inconclusive" and self.rows == 0:
            return NO_DATA
        return self.verdict or ""

    @property
    def subject(self) -> str:
        """What the figure is about: a feature, the value of a segment, both, or empty for the whole window."""
        if self.segment and self.kind in ("drift", "prediction"):
            return f"{self.feature} {self.segment}"
        return self.segment or self.feature

    @property
    def threshold(self) -> float | None:
        """What the figure must not pass: the largest threshold of drift, the floor of a metric; None without."""
        if self.kind in ("performance", "estimate"):
            return self.floor
        given = [limit for limit in (self.null, self.floor, self.block) if limit is not None]
        return max(given) if given else None

    def as_json(self) -> dict[str, object]:
        """The object of one line of `--json`."""
        return {
            "deployment": self.deployment,
            "model_version": self.model_version,
            "slot": self.slot,
            "kind": self.kind,
            "feature": self.feature,
            "metric": self.metric,
            "value": self.value,
            "thresholds": {"null": self.null, "floor": self.floor, "block": self.block},
            "verdict": self.verdict,
            "reason": self.reason,
            "rows": self.rows,
            "reference_rows": self.reference_rows,
            "resolution": self.resolution,
            "window_start": utc(self.window_start_ms),
            "window_end": utc(self.window_end_ms),
            "final": self.final,
            "restated": self.restated,
            "low": self.low,
            "high": self.high,
            "interval": self.interval,
            "segment": self.segment,
            "labels": self.labels,
            "coverage": self.coverage,
            "provisional": self.provisional,
        }


def utc(time_ms: int) -> str:
    """Write a time as ISO 8601 in UTC, to the second.

    >>> utc(1_364_774_400_000)
    '2013-04-01T00:00:00Z'
    """
    return datetime.fromtimestamp(time_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
