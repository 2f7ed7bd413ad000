"""WindowResult: the verdicts and counts of one window, as they travel on the topic `windows`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Final

from driftline.schemas import codec
from driftline.schemas.refusal import Refused
from driftline.schemas.wire import MAX_TIME_MS

KINDS: Final = (
    "drift",
    "prediction",
    "quality",
    "rows",
    "health",
    "performance",
    "estimate",
    "fairness",
    "change",
)
VERDICTS: Final = ("ok", "warn", "fail", "inconclusive")
INTERVALS: Final = ("", "iid", "days", "bounds")
COUNTED_BY: Final = ("drift", "accuracy")
_RECORD: Final = "WindowResult"


@dataclass(slots=True)
class Figure:
    """One figure of a window and, where it carries one, its verdict.

    Attributes:
        kind: one of `KINDS`; what is judged.
        feature: the feature, the score or `predicted`; empty for figures of the whole window.
        metric: name of the figure, as `psi` or `nulls`.
        value: the figure; None when it is undefined.
        null: threshold of chance between independent rows.
        floor: threshold of effect, which a warning must exceed; of a metric of performance the value at which it warns.
        block: threshold of the stream's own variation, None when it is not known; of a metric of performance what the
            reference had.
        verdict: one of `VERDICTS`; None for a figure that carries none.
        reason: why, a short sentence; empty for a figure that carries no verdict.
        rows: rows of the window that the figure is about.
        reference_rows: rows of the reference that it is held against.
        level: probability of an alarm without drift that the thresholds of this figure really have.
        low: lower end of the 95 % interval, or the bound where `interval` says so; None when it is not known.
        high: upper end of the same.
        interval: what `low` and `high` are, one of `INTERVALS`; empty without them.
        segment: the segment value that the figure is about, as `region=north`; empty for the whole window.
    """

    kind: str
    feature: str
    metric: str
    value: float | None = None
    null: float | None = None
    floor: float | None = None
    block: float | None = None
    verdict: str | None = None
    reason: str = ""
    rows: int = 0
    reference_rows: int = 0
    level: float | None = None
    low: float | None = None
    high: float | None = None
    interval: str = ""
    segment: str = ""


@dataclass(slots=True)
class WindowResult:
    """Verdicts and counts of one window of one model version in one slot.

    Attributes:
        deployment: name of the deployment.
        model_version: version of the model.
        slot: slot that served, as `champion`.
        resolution: width of the window, as `1d`.
        window_start_ms: start in event time, inclusive.
        window_end_ms: end, exclusive.
        profile_digest: digest of the profile it was counted and judged with; empty without one.
        partition: partition of `predictions` that was counted.
        absorbed: last offset counted in it; -1 for none.
        final: whether the window had closed.
        restated: whether rows came after it had closed.
        rows: rows counted.
        watermark_ms: watermark of the deployment.
        counts: the counters, which merge.
        computed_at_ms: when it was computed.
        figures: the figures, drift first.
        late_rows: rows of this model version and slot that came too late and await restatement, as of `computed_at_ms`.
        run: `live`, or the name of a replay.
        settings_revision: revision of the settings it was judged with.
        version: order of publication, made of `absorbed` and `final` when left at -1.
        role: what counted it, one of `COUNTED_BY`; a window has a result of each.
        labels: predictions with a label in force; 0 of what drift counted.
        delay_p50_s: median delay of the labels after their events, s; None without labels.
        delay_p90_s: delay that nine of ten labels did not exceed, s.
        provisional: whether so many labels are still to come that the figures may be those of a biased sample.
    """

    deployment: str
    model_version: str
    slot: str
    resolution: str
    window_start_ms: int
    window_end_ms: int
    profile_digest: str
    partition: int
    absorbed: int
    final: bool
    restated: bool
    rows: int
    watermark_ms: int
    counts: bytes
    computed_at_ms: int
    figures: list[Figure] = field(default_factory=list)
    late_rows: int = 0
    run: str = "live"
    settings_revision: int = 0
    version: int = -1
    role: str = "drift"
    labels: int = 0
    delay_p50_s: float | None = None
    delay_p90_s: float | None = None
    provisional: bool = False

    def __post_init__(self) -> None:
        """Order the result by what it has absorbed; of two with the same rows the final one holds."""
        if self.version < 0:
            self.version = 2 * (self.absorbed + 1) + int(self.final)

    def to_bytes(self) -> bytes:
        """Give the Avro single-object encoding (record `WindowResult`).

        Raises:
            Refused: when a part does not fit the schema, or all of it the size bound.
        """
        record = {name: getattr(self, name) for name in _FIELDS}
        record["figures"] = [{name: getattr(figure, name) for name in _FIGURE} for figure in self.figures]
        return codec.encode(_RECORD, record)

    @classmethod
    def from_bytes(cls, data: bytes) -> WindowResult:
        """Read what `to_bytes` wrote.

        Raises:
            Refused: when the bytes are no window result, a name in them is not one of the contract, or a number is
                not possible.
        """
        record = codec.decode_as(_RECORD, data)
        _check_numbers(record)
        return cls(**{**record, "figures": [_figure(figure) for figure in record["figures"]]})


def _check_numbers(record: dict[str, Any]) -> None:
    """Raise Refused for a window of no time, and for counts and places that nothing can have."""
    start, end = record["window_start_ms"], record["window_end_ms"]
    # The week and the month of the first of 1970 begin before it.
    if not -_LONGEST_MS <= start < end <= MAX_TIME_MS + _LONGEST_MS:
        raise Refused("impossible_value", f"a window goes from {start} to {end} ms")
    for name in ("watermark_ms", "computed_at_ms"):
        if record[name] > MAX_TIME_MS:
            raise Refused("impossible_value", f"{name} of a window is {record[name]}, past the year 2199")
    for name, least in (
        ("rows", 0),
        ("late_rows", 0),
        ("labels", 0),
        ("absorbed", -1),
        ("settings_revision", 0),
    ):
        if not least <= record[name] < _MOST:
            raise Refused("impossible_value", f"{name} of a window is {record[name]}")


def _figure(record: dict[str, Any]) -> Figure:
    figure = Figure(**record)
    if figure.kind not in KINDS:
        message = f"a figure is of kind {figure.kind!r}, it must be one of {', '.join(KINDS)}"
        raise Refused("impossible_value", message)
    if figure.verdict is not None and figure.verdict not in VERDICTS:
        message = f"a verdict is {figure.verdict!r}, it must be one of {', '.join(VERDICTS)}"
        raise Refused("impossible_value", message)
    return figure


# 2 * (absorbed + 1) + 1 is a version, and a version is 64 bits wide.
_MOST: Final = 1 << 61
_LONGEST_MS: Final = 32 * 86_400_000
_FIELDS: Final = tuple(item.name for item in dataclasses.fields(WindowResult))
_FIGURE: Final = tuple(item.name for item in dataclasses.fields(Figure))
