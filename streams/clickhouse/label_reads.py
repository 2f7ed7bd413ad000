"""Label reads: how much of the truth has come, and labels whose predictions never did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from driftline.streams.clickhouse.client import Client
from driftline.streams.join.hot import WAIT_S

if TYPE_CHECKING:
    from driftline.schemas.settings import Settings

# Both tables lie in the order of (deployment, id), so they are merged as they are read: no side is held in memory.
_MERGED: Final = (
    "SETTINGS join_use_nulls = 1, optimize_aggregation_in_order = 1, join_algorithm = 'full_sorting_merge', "
    "max_bytes_before_external_sort = 268435456"
)
# Of the history of an id, as it came, those labels were in force once before which none came that was known later.
_IN_FORCE: Final = """
    SELECT
        prediction_id,
        argMax(
            (known_at, number, CAST(class AS Nullable(String)), withdrawn, original_id),
            (known_at, src_offset, src_row)
        ) AS label,
        min(arrived) AS came,
        count() AS told,
        arraySort(groupArray(
            (src_offset, src_row, known_at, withdrawn, ifNull(toString(number), ''), ifNull(class, ''))
        )) AS history,
        arrayReduceInRanges('max', arrayMap(n -> (1, n), arrayEnumerate(history)), history.3) AS newest,
        arrayFilter((one, newest_at) -> one.3 >= newest_at AND NOT one.4, history, newest) AS held,
        length(arrayDistinct(arrayMap(one -> (one.5, one.6), held))) > 1 AS corrected
    FROM labels
    WHERE deployment = {deployment:String}
    GROUP BY prediction_id
"""
_JOINED: Final = f"""
    SELECT
        force.prediction_id AS prediction_id, label, came, told, corrected,
        dateDiff('second', came, {{now:DateTime64(3, 'UTC')}}) AS waited_s,
        isNull(predicted.prediction_id) AS alone
    FROM ({_IN_FORCE}) AS force
    ANY LEFT JOIN
    (
        SELECT prediction_id FROM kept_lookup WHERE deployment = {{deployment:String}}
    ) AS predicted ON force.prediction_id = predicted.prediction_id
"""


@dataclass(frozen=True, slots=True)
class LabelCounts:
    """Labels of one deployment, by prediction id.

    Attributes:
        told: labels that came, repeated ones and corrections too.
        labels: ids with a label in force.
        corrected: ids whose labels said different things, each in force once; one that came too late to be is none.
        withdrawn: ids whose label was taken back.
        unmatched: labels in force without a prediction, for longer than the join waits.
        waiting: labels in force without a prediction, for which the join still waits.
    """

    told: int
    labels: int
    corrected: int
    withdrawn: int
    unmatched: int
    waiting: int


def label_counts(
    settings: Settings,
    deployment: str,
    now_ms: int,
    span: tuple[datetime | None, datetime | None] = (None, None),
) -> LabelCounts:
    """Count the labels of a deployment.

    Args:
        settings: where ClickHouse is.
        deployment: its name.
        now_ms: time now, ms since 1970.
        span: only labels in force that became known from the first time on and before the second.

    Raises:
        ClickHouseError: the server is away or refuses.
    """
    where, parameters = _known(deployment, now_ms, span)
    sql = (
        "SELECT sum(told) AS told, countIf(NOT label.4) AS labels, countIf(corrected) AS corrected, "
        "countIf(label.4) AS withdrawn, countIf(alone AND NOT label.4 AND waited_s > {wait:Int64}) AS unmatched, "
        "countIf(alone AND NOT label.4 AND waited_s <= {wait:Int64}) AS waiting "
        f"FROM ({_JOINED}) WHERE {where} {_MERGED}"
    )
    with Client(settings.clickhouse) as client:
        row = client.query(sql, parameters)[0]
    return LabelCounts(**{name: int(value) for name, value in row.items()})


def unmatched_labels(
    settings: Settings,
    deployment: str,
    now_ms: int,
    span: tuple[datetime | None, datetime | None] = (None, None),
    limit: int = 1000,
) -> list[dict[str, Any]]:
    """Give labels in force whose prediction is not in the archive, oldest first.

    Arguments and errors as `label_counts`; at most `limit` of them.

    Keys: id (text of a UUID), original_id, value (number or class), known_at, arrived (datetime, UTC), waited_s, state
    (`waiting` while the join waits for the prediction, `unmatched` after that).
    """
    where, parameters = _known(deployment, now_ms, span)
    sql = (
        "SELECT toString(UUIDNumToString(prediction_id)) AS id, label.5 AS original_id, label.2 AS number, "
        "label.3 AS class, label.1 AS known_at, came AS arrived, waited_s, "
        "if(waited_s > {wait:Int64}, 'unmatched', 'waiting') AS state "
        f"FROM ({_JOINED}) WHERE alone AND NOT label.4 AND {where} "
        f"ORDER BY known_at, id LIMIT {{limit:UInt32}} {_MERGED}"
    )
    with Client(settings.clickhouse) as client:
        rows = client.query(sql, {**parameters, "limit": limit})
    for row in rows:
        number, text = row.pop("number"), row.pop("class")
        row["value"] = text if number is None else number
    return rows


def labelled_days(settings: Settings, deployment: str, limit: int = 31) -> list[dict[str, Any]]:
    """Give the newest days that the join has counted, oldest first; errors as `label_counts`.

    Keys: day (datetime, UTC), model_version, slot, predictions, labels, delay_p50_s, delay_p90_s, provisional.
    """
    sql = (
        "SELECT window_start AS day, model_version, slot, rows AS predictions, labels, delay_p50_s, delay_p90_s, "
        "provisional FROM windows_now WHERE deployment = {deployment:String} AND resolution = '1d' "
        "AND role = 'accuracy' AND run = 'live' ORDER BY day DESC, model_version DESC, slot DESC LIMIT {limit:UInt32}"
    )
    with Client(settings.clickhouse) as client:
        return client.query(sql, {"deployment": deployment, "limit": limit})[::-1]


def labelled_deployments(settings: Settings) -> list[str]:
    """Give the deployments that have a label, predicted for or not. Raises as `label_counts`."""
    with Client(settings.clickhouse) as client:
        rows = client.query("SELECT DISTINCT deployment FROM labels ORDER BY deployment")
    return [str(row["deployment"]) for row in rows]


def _known(
    deployment: str, now_ms: int, span: tuple[datetime | None, datetime | None]
) -> tuple[str, dict[str, Any]]:
    """Give the condition on when labels became known, and its values."""
    parts = ["1"]
    parameters: dict[str, Any] = {
        "deployment": deployment,
        "now": datetime.fromtimestamp(now_ms / 1000, UTC),
        "wait": WAIT_S,
    }
    for name, sign, value in (("since", ">=", span[0]), ("until", "<", span[1])):
        if value is not None:
            parts.append(f"label.1 {sign} {{{name}:DateTime64(3, 'UTC')}}")
            parameters[name] = value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    return " AND ".join(parts), parameters
