"""Version reads: what the archive has of versions of one deployment, to be put side by side."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from driftline.streams.clickhouse.client import Client

if TYPE_CHECKING:
    from collections.abc import Sequence

    from driftline.schemas.settings import Settings

QUANTILES: Final = (0.5, 0.95, 0.99)
FEATURES_MAX: Final = 1_000
"""Figures of drift that are told, of each version."""
ROWS_MAX: Final = 2_000_000
"""Predictions that are looked through for shared ones; of more, an even share, chosen by their ids."""
_VERSIONS: Final = "deployment = {deployment:String} AND model_version IN {versions:Array(String)}"
_TIME: Final = "DateTime64(3, 'UTC')"


class Span(NamedTuple):
    """Event times, ms since 1970, the end exclusive; None leaves it open."""

    since_ms: int | None = None
    until_ms: int | None = None


class Answered(NamedTuple):
    """What one version answered in one slot.

    Attributes:
        version, slot: which.
        rows: predictions.
        first_ms, last_ms: event times of the first and the last, ms since 1970.
        errors: predictions whose status is neither empty nor `ok`.
        timed: those that say how long they took.
        latency_ms: quantiles of that, by `QUANTILES`; None without any.
    """

    version: str
    slot: str
    rows: int
    first_ms: int
    last_ms: int
    errors: int
    timed: int
    latency_ms: tuple[float, ...] | None


class Shared(NamedTuple):
    """Predictions that two versions answered, each in one slot.

    Attributes:
        first, second: slots of the first and the second version.
        rows: ids that both answered well, of those that were looked through.
    """

    first: str
    second: str
    rows: int


class Drifted(NamedTuple):
    """One figure of drift of one version in one slot, over its final windows of a width.

    Attributes:
        version, slot: which.
        feature, metric: what.
        windows: how many have a value.
        mean, worst: of the values.
        fails: windows whose verdict is `fail`.
    """

    version: str
    slot: str
    feature: str
    metric: str
    windows: int
    mean: float
    worst: float
    fails: int


def answered(settings: Settings, deployment: str, versions: Sequence[str], span: Span) -> list[Answered]:
    """Give what versions answered, by version and then the slot with the most rows first.

    Raises:
        ClickHouseError: the server is away or refuses.
    """
    where, given = _where("ts", deployment, versions, span)
    levels = ", ".join(str(level) for level in QUANTILES)
    with Client(settings.clickhouse) as client:
        found = client.query(
            "SELECT model_version, slot, count() AS n, toUnixTimestamp64Milli(min(ts)) AS first, "
            "toUnixTimestamp64Milli(max(ts)) AS last, countIf(ifNull(status, 'ok') NOT IN ('ok', '')) AS errors, "
            f"count(latency_ms) AS timed, quantilesTDigest({levels})(ifNull(latency_ms, 0)) "
            "FILTER (WHERE latency_ms IS NOT NULL) AS latency "
            f"FROM predictions WHERE {where} GROUP BY model_version, slot ORDER BY model_version, n DESC, slot",
            given,
        )
    return [
        Answered(
            version=str(row["model_version"]),
            slot=str(row["slot"]),
            rows=int(row["n"]),
            first_ms=int(row["first"]),
            last_ms=int(row["last"]),
            errors=int(row["errors"]),
            timed=int(row["timed"]),
            latency_ms=tuple(float(one) for one in row["latency"]) if row["timed"] else None,
        )
        for row in found
    ]


def shared(
    settings: Settings, deployment: str, versions: tuple[str, str], span: Span, rows: int
) -> list[Shared]:
    """Give how many predictions each pair of slots shares, the most first; a pair that shares none is left out.

    Args:
        settings: where ClickHouse is.
        deployment: its name.
        versions: the first and the second.
        span: of event time.
        rows: that both answered, over all slots; of more than `ROWS_MAX` a share is looked through.

    Raises:
        ClickHouseError: the server is away or refuses.
    """
    where, given = _where("ts", deployment, versions, span)
    slots = ", ".join(
        f"groupUniqArrayIf(toString(slot), model_version = {{{name}:String}}) AS {name}s"
        for name in ("one", "two")
    )
    with Client(settings.clickhouse) as client:
        found = client.query(
            f"SELECT first, second, count() AS n FROM (SELECT {slots} FROM predictions WHERE {where} "
            "AND ifNull(status, 'ok') IN ('ok', '') "
            "AND cityHash64(prediction_id) % {share:UInt32} = 0 GROUP BY prediction_id "
            "HAVING notEmpty(ones) AND notEmpty(twos)) ARRAY JOIN ones AS first ARRAY JOIN twos AS second "
            "GROUP BY first, second ORDER BY n DESC, first, second",
            {**given, "one": versions[0], "two": versions[1], "share": max(1, -(-rows // ROWS_MAX))},
        )
    return [Shared(str(row["first"]), str(row["second"]), int(row["n"])) for row in found]


def drifted(
    settings: Settings, deployment: str, versions: Sequence[str], span: Span, resolution: str
) -> list[Drifted]:
    """Give the drift of versions over their final windows of a width, strongest first; raises as `answered`."""
    where, given = _where("window_start", deployment, versions, span)
    with Client(settings.clickhouse) as client:
        found = client.query(
            "SELECT model_version, slot, feature, metric, count(value) AS n, avg(value) AS mean, max(value) AS worst, "
            f"countIf(verdict = 'fail') AS fails FROM figures WHERE {where} AND run = 'live' AND role = 'drift' "
            "AND final AND resolution = {resolution:String} AND kind IN ('drift', 'prediction') "
            "AND verdict IS NOT NULL AND segment = '' GROUP BY model_version, slot, feature, metric "
            f"HAVING n > 0 ORDER BY fails DESC, mean DESC, feature, metric LIMIT {FEATURES_MAX} BY model_version, slot",
            {**given, "resolution": resolution},
        )
    return [
        Drifted(
            version=str(row["model_version"]),
            slot=str(row["slot"]),
            feature=str(row["feature"]),
            metric=str(row["metric"]),
            windows=int(row["n"]),
            mean=float(row["mean"]),
            worst=float(row["worst"]),
            fails=int(row["fails"]),
        )
        for row in found
    ]


def _where(column: str, deployment: str, versions: Sequence[str], span: Span) -> tuple[str, dict[str, Any]]:
    parts, given = [_VERSIONS], {"deployment": deployment, "versions": list(versions)}
    for name, sign, value in (("since", ">=", span.since_ms), ("until", "<", span.until_ms)):
        if value is not None:
            parts.append(f"{column} {sign} {{{name}:{_TIME}}}")
            given[name] = datetime.fromtimestamp(value / 1000, UTC)  # type: ignore[assignment]
    return " AND ".join(parts), given
