"""Reads: what the command line and the tests ask of the tables; every one goes through a view with FINAL."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.errors import ClickHouseError
from driftline.streams.windows.resolution import NAMES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from driftline.schemas.settings import Settings

# Tables whose rows `driftline status` and the demo count, with what gives each dead letter or window once.
COUNTED: Final = {
    "predictions": "predictions",
    "labels": "labels",
    "windows": "(SELECT * FROM windows_now WHERE role = '')",
    "batches": "batches",
    "emitters": "emitters_now",
    "dead_letters": "dead_letters_now",
}
# `auto` takes the narrowest resolution at which this share of windows has the least count of a verdict.
FULL_SHARE: Final = 0.8
_POLL_SECONDS: Final = 0.1
_POLL_MAX_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class WindowFilter:
    """Which figures to read; None leaves a part open. Times are milliseconds since 1970, `until_ms` exclusive."""

    resolution: str | None = None
    model_version: str | None = None
    slot: str | None = None
    feature: str | None = None
    metric: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    run: str = "live"
    role: str | None = None
    """What counted the windows: drift or accuracy; None for both."""
    metrics: tuple[str, ...] = ()
    """Only these figures; empty for all."""


def windows(settings: Settings, deployment: str, chosen: WindowFilter | None = None) -> list[dict[str, Any]]:
    """Give the figures of a deployment's windows, one dictionary each, in order of time, version, slot and place.

    Keys: deployment, model_version, slot, run, kind, feature, metric, value, thresholds {null, floor, block}, verdict,
    reason, rows, reference_rows, level, low, high, interval, segment, resolution, window_start, window_end (datetime,
    UTC), final, restated, window_rows, late_rows, version, profile_digest, settings_revision, watermark, computed_at,
    role, labels, coverage, window_labels, delay_p50_s, delay_p90_s, provisional. `labels` and `coverage` are those of
    the value of a segment that a figure is of.

    Raises:
        ClickHouseError: the server is away or refuses.
    """
    where, parameters = _where(deployment, chosen or WindowFilter())
    with Client(settings.clickhouse) as client:
        rows = client.query(
            "SELECT deployment, model_version, slot, run, kind, feature, metric, value, threshold_null, floor, block, "
            "verdict, reason, rows, reference_rows, level, low, high, interval, segment, resolution, window_start, "
            "window_end, final, restated, "
            "window_rows, late_rows, version, profile_digest, settings_revision, watermark, computed_at, role, labels, "
            "coverage, window_labels, delay_p50_s, delay_p90_s, provisional "
            f"FROM figures WHERE {where} "
            "ORDER BY resolution, window_start, model_version, slot, role = 'accuracy', place",
            parameters,
        )
    for row in rows:
        row["thresholds"] = {
            "null": row.pop("threshold_null"),
            "floor": row.pop("floor"),
            "block": row.pop("block"),
        }
    return rows


class Held(NamedTuple):
    """What windows hold: model versions, features and scores, sorted, and the first and the last moment."""

    versions: list[str]
    features: list[str]
    first: datetime
    last: datetime


def figure_total(settings: Settings, deployment: str, chosen: WindowFilter) -> int:
    """Count the figures that `windows` would give. Raises as `windows`."""
    where, parameters = _where(deployment, chosen)
    with Client(settings.clickhouse) as client:
        return int(client.query(f"SELECT count() AS n FROM figures WHERE {where}", parameters)[0]["n"])


def held(settings: Settings, deployment: str, chosen: WindowFilter) -> Held | None:
    """Say what the windows under a filter hold; None when there is none. Raises as `windows`."""
    where, parameters = _where(deployment, chosen)
    with Client(settings.clickhouse) as client:
        row = client.query(
            "SELECT arraySort(groupUniqArray(model_version)) AS versions, "
            "arraySort(groupUniqArrayIf(feature, feature != '')) AS features, min(window_start) AS first, "
            f"max(window_end) AS last, count() AS n FROM figures WHERE {where}",
            parameters,
        )[0]
    return Held(row["versions"], row["features"], row["first"], row["last"]) if row["n"] else None


def window_counts(
    settings: Settings, deployment: str, chosen: WindowFilter | None = None
) -> list[dict[str, Any]]:
    """Give a deployment's windows without their figures, with their mergeable counters as bytes in `counts`.

    Keys: those of the table `windows` less `figures.*`. Filters on feature and metric do not apply; without a role in
    the filter they are drift's. Raises as `windows`.
    """
    given = chosen or WindowFilter()
    where, parameters = _where(deployment, given, figures=False)
    with Client(settings.clickhouse) as client:
        return client.query(
            "SELECT deployment, model_version, slot, run, resolution, window_start, window_end, version, "
            "profile_digest, settings_revision, partition, absorbed, final, restated, rows, late_rows, watermark, "
            f"counts, computed_at FROM windows_now WHERE {where} "
            "ORDER BY resolution, window_start, model_version, slot",
            parameters,
            formats={"counts": "bytes"},
        )


def window_total(settings: Settings, deployment: str, chosen: WindowFilter) -> int:
    """Count a deployment's windows under a filter, of drift unless it names a role. Raises as `windows`."""
    where, parameters = _where(deployment, chosen, figures=False)
    with Client(settings.clickhouse) as client:
        return int(client.query(f"SELECT count() AS n FROM windows_now WHERE {where}", parameters)[0]["n"])


def auto_resolution(settings: Settings, deployment: str, chosen: WindowFilter, least_rows: int) -> str | None:
    """Give the narrowest resolution at which 80 % of the windows have `least_rows` rows, else the widest there is.

    Returns:
        A resolution's name; None when the deployment has no window under the filter.
    """
    where, parameters = _where(deployment, chosen, figures=False)
    with Client(settings.clickhouse) as client:
        rows = client.query(
            "SELECT resolution, countIf(rows >= {least:Int64}) / count() AS share FROM windows_now "
            f"WHERE {where} GROUP BY resolution",
            {**parameters, "least": least_rows},
        )
    shares = {str(row["resolution"]): float(row["share"]) for row in rows}
    there = [name for name in NAMES if name in shares]
    full = [name for name in there if shares[name] >= FULL_SHARE]
    return next(iter(full or there[-1:]), None)


def deployments(settings: Settings) -> list[str]:
    """Give the deployments that have predictions or windows, sorted: what an error about an unknown one names."""
    with Client(settings.clickhouse) as client:
        rows = client.query(
            "SELECT DISTINCT deployment FROM (SELECT deployment FROM predictions UNION ALL "
            "SELECT deployment FROM windows) ORDER BY deployment",
        )
    return [str(row["deployment"]) for row in rows]


def runs(settings: Settings, deployment: str) -> list[str]:
    """Give the names of the runs that a deployment has windows of, sorted. Raises as `windows`."""
    with Client(settings.clickhouse) as client:
        rows = client.query(
            "SELECT DISTINCT run FROM windows WHERE deployment = {deployment:String} ORDER BY run",
            {"deployment": deployment},
        )
    return [str(row["run"]) for row in rows]


def counts(settings: Settings) -> dict[str, int]:
    """Give the rows of each table of `COUNTED`, replaced rows not counted. Raises as `windows`."""
    parts = " UNION ALL ".join(
        f"SELECT '{name}' AS name, count() AS n FROM {view}" for name, view in COUNTED.items()
    )
    with Client(settings.clickhouse) as client:
        return {str(row["name"]): int(row["n"]) for row in client.query(parts)}


def late_rows(settings: Settings, deployment: str | None = None) -> list[dict[str, Any]]:
    """Give the rows that came after their windows had closed, and await restatement, the most first.

    Keys: deployment, model_version, slot, rows: what the newest result of that version and slot says, of any window.
    At most 1,000 versions are listed. Raises as `windows`.
    """
    of_one = "" if deployment is None else "AND deployment = {deployment:String} "
    with Client(settings.clickhouse) as client:
        return client.query(
            "SELECT deployment, model_version, slot, argMax(late_rows, (arrived, src_offset)) AS rows "
            f"FROM windows WHERE run = 'live' AND role = '' {of_one}"
            "GROUP BY deployment, model_version, slot HAVING rows > 0 "
            "ORDER BY rows DESC, deployment, model_version, slot LIMIT 1000",
            {} if deployment is None else {"deployment": deployment},
        )


def count_of(settings: Settings, table: Literal["predictions", "labels"], deployment: str) -> int:
    """Give the predictions, or the labels, stored of one deployment. Raises as `windows`."""
    with Client(settings.clickhouse) as client:
        rows = client.query(
            f"SELECT count() AS n FROM {table} WHERE deployment = {{deployment:String}}",
            {"deployment": deployment},
        )
    return int(rows[0]["n"])


def positions(settings: Settings, topic: str) -> dict[int, int]:
    """Give partition → last offset stored, for the newest life of a topic (name without prefix). Raises as `windows`.

    What lies at or below it is in ClickHouse: restating a cold window waits for this.
    """
    with Client(settings.clickhouse) as client:
        rows = client.query(
            "SELECT partition, argMax(last, (written_at, last)) AS last FROM blocks WHERE topic = {topic:String} "
            "GROUP BY partition",
            {"topic": topic},
        )
    return {int(row["partition"]): int(row["last"]) for row in rows}


def wait_until(
    reached: Callable[[], bool],
    *,
    seconds: float,
    what: str,
    on_wait: Callable[[], None] = lambda: None,
) -> None:
    """Ask until `reached` says yes; ClickHouse being away counts as no.

    At most a fifth of the time is spent asking, so that the question does not slow down what it waits for.

    Args:
        reached: the condition.
        seconds: how long to go on asking.
        what: the condition in words, for the error.
        on_wait: called between two questions.

    Raises:
        ClickHouseError: it did not come true in time.
    """
    deadline = time.monotonic() + seconds
    while True:
        asked = time.monotonic()
        try:
            if reached():
                return
        except ClickHouseError:
            if time.monotonic() > deadline:
                raise
        if time.monotonic() > deadline:
            raise ClickHouseError(
                f"{what} did not come true within {seconds:g} s: see the archive worker's log"
            )
        pause = max(_POLL_SECONDS, 4 * (time.monotonic() - asked))
        on_wait()
        time.sleep(min(pause, _POLL_MAX_SECONDS))


def _where(deployment: str, chosen: WindowFilter, *, figures: bool = True) -> tuple[str, Mapping[str, Any]]:
    """Give the condition of a filter, and its values."""
    parts = ["deployment = {deployment:String}", "run = {run:String}"]
    parameters: dict[str, Any] = {"deployment": deployment, "run": chosen.run}
    role = chosen.role if figures else chosen.role or "drift"
    if role is not None:
        # A figure names its role; a row of drift has none, as those from before there were roles.
        parts.append("role = {role:String}")
        parameters["role"] = "" if role == "drift" and not figures else role
    equal = ["resolution", "model_version", "slot", *(("feature", "metric") if figures else ())]
    for name in equal:
        value = getattr(chosen, name)
        if value is not None:
            parts.append(f"{name} = {{{name}:String}}")
            parameters[name] = value
    if figures and chosen.metrics:
        parts.append("metric IN {metrics:Array(String)}")
        parameters["metrics"] = list(chosen.metrics)
    for name, sign, value in (("since", ">=", chosen.since_ms), ("until", "<", chosen.until_ms)):
        if value is not None:
            parts.append(f"window_start {sign} {{{name}:DateTime64(3, 'UTC')}}")
            parameters[name] = datetime.fromtimestamp(value / 1000, UTC)
    return " AND ".join(parts), parameters
