"""Facts of the archive, as the workers read them of the log: predictions of a span of event time, labels in force."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from driftline.streams.clickhouse.fact_columns import label_columns, placed_columns, prediction_columns
from driftline.streams.windows.resolution import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from driftline.schemas.shapes import LabelColumns, PredictionColumns
    from driftline.streams.clickhouse.client import Client
    from driftline.streams.join.dirty import Offsets
    from driftline.streams.windows.late import Late

PART_MS: Final = 300_000
_PART: Final = "intDiv(toUnixTimestamp64Milli(ts), 300000)"
_SPAN: Final = (
    "deployment = {deployment:String} AND ts >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') "
    "AND ts < fromUnixTimestamp64Milli({until:Int64}, 'UTC')"
)
_ALL: Final = (
    "model_version, slot, ts, prediction_id, float_names, floats, double_names, doubles, category_names, categories, "
    "nulls, wrong, score_names, scores, predicted, segment_names, segments, latency_ms, status, src_offset"
)
# What is held against labels; of an id that is predicted twice the offsets tell which was the first.
_ANSWERS: Final = (
    "model_version, slot, ts, prediction_id, score_names, scores, predicted, segment_names, segments, "
    "src_offset"
)


class Stretch(NamedTuple):
    """A span of event time of one deployment, ms since 1970, `until_ms` exclusive."""

    deployment: str
    since_ms: int
    until_ms: int

    @property
    def parameters(self) -> dict[str, object]:
        """The values of a query's condition."""
        return {"deployment": self.deployment, "since": self.since_ms, "until": self.until_ms}


class Touched(NamedTuple):
    """Five minutes of a model version and slot that hold rows in question."""

    deployment: str
    version: str
    slot: str
    start_ms: int


def predictions(
    client: Client, stretch: Stretch, last: int | None = None
) -> Iterator[tuple[int, PredictionColumns]]:
    """Give all that is stored of predictions, in no order, with an offset each.

    Args:
        client: where the archive is.
        stretch: when they were made.
        last: greatest offset of those wanted; None for all.

    Raises:
        ClickHouseError: the server is away or refuses.
    """
    until = "" if last is None else " AND src_offset <= {last:UInt64}"
    given = {**stretch.parameters, "last": last or 0}
    for table in client.blocks(f"SELECT {_ALL} FROM predictions WHERE {_SPAN}{until}", given):
        for block in table.to_batches():
            yield from prediction_columns(block, stretch.deployment)


def answers(client: Client, stretch: Stretch) -> Iterator[tuple[NDArray[np.int64], PredictionColumns]]:
    """Give predictions without their features, in no order, with the offset of each; raises as `predictions`."""
    query = f"SELECT {_ANSWERS} FROM predictions WHERE {_SPAN}"
    for table in client.blocks(query, stretch.parameters):
        for block in table.to_batches():
            yield from placed_columns(block, stretch.deployment)


def marks(client: Client, deployment: str, since_ms: int, bound_ms: int) -> dict[int, int]:
    """Give what moved the watermark: its value, to five minutes, in ms, to the least offset of a record of its time.

    Args:
        client: where the archive is.
        deployment: its name.
        since_ms: predictions before this time are left out.
        bound_ms: how far the watermark stays behind.
    """
    found = client.query(
        f"SELECT intDiv(toUnixTimestamp64Milli(ts) - {{bound:Int64}}, {PART_MS}) AS part, min(src_offset) AS first "
        "FROM predictions WHERE deployment = {deployment:String} "
        "AND ts >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') GROUP BY part",
        {"deployment": deployment, "since": since_ms, "bound": bound_ms},
    )
    return {int(row["part"]) * PART_MS: int(row["first"]) for row in found}


def offsets_of(client: Client, stretch: Stretch) -> tuple[int, int] | None:
    """Give the least and the greatest offset of predictions; None without any; raises as `predictions`."""
    found = client.query(
        f"SELECT min(src_offset) AS first, max(src_offset) AS last, count() AS n FROM predictions WHERE {_SPAN}",
        stretch.parameters,
    )[0]
    return (int(found["first"]), int(found["last"])) if found["n"] else None


def days_with_repeats(client: Client, deployment: str, since_ms: int) -> frozenset[int]:
    """Give the UTC days, as their first ms, of predictions since some time whose id came more than once since then.

    The table lies in the order of ids, so that this takes one pass and no memory; raises as `predictions`.
    """
    found = client.query(
        "SELECT DISTINCT arrayJoin(days) AS day FROM ("
        "SELECT groupUniqArray(intDiv(toUnixTimestamp64Milli(ts), 86400000)) AS days FROM kept_lookup "
        "WHERE deployment = {deployment:String} AND ts >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') "
        "GROUP BY deployment, prediction_id HAVING count() > 1) SETTINGS optimize_aggregation_in_order = 1",
        {"deployment": deployment, "since": since_ms},
    )
    return frozenset(int(row["day"]) * DAY_MS for row in found)


def duplicates(
    client: Client, stretch: Stretch, span_ms: tuple[int, int], last: int
) -> Iterator[tuple[NDArray[np.int64], PredictionColumns]]:
    """Give predictions outside a stretch whose id one in it has, by id and time alone; raises as `predictions`.

    Args:
        client: where the archive is.
        stretch: made of whole cells.
        span_ms: times between which they are looked for, the end exclusive.
        last: offset before which they lie in the log.
    """
    query = (
        "SELECT model_version, slot, ts, prediction_id, src_offset FROM predictions "
        "WHERE deployment = {deployment:String} AND ts >= fromUnixTimestamp64Milli({from:Int64}, 'UTC') "
        f"AND ts < fromUnixTimestamp64Milli({{to:Int64}}, 'UTC') AND NOT ({_SPAN}) "
        f"AND src_offset < {{last:UInt64}} AND prediction_id IN (SELECT prediction_id FROM predictions WHERE {_SPAN})"
    )
    given = {**stretch.parameters, "from": span_ms[0], "to": span_ms[1], "last": last}
    for table in client.blocks(query, given):
        for block in table.to_batches():
            yield from placed_columns(block, stretch.deployment)


def labels(client: Client, stretch: Stretch) -> Iterator[LabelColumns]:
    """Give the label in force of every prediction of the stretch that has one; raises as `predictions`.

    In force is the one with the greatest (known_at, place in the log), a withdrawn one too.
    """
    query = (
        "SELECT prediction_id, tupleElement(winner, 1) AS known_at, tupleElement(winner, 2) AS number, "
        "tupleElement(winner, 3) AS class, tupleElement(winner, 4) AS withdrawn FROM ("
        "SELECT prediction_id, argMax(tuple(known_at, number, class, withdrawn), tuple(known_at, src_offset, src_row)) "
        "AS winner FROM labels WHERE deployment = {deployment:String} "
        f"AND prediction_id IN (SELECT prediction_id FROM predictions WHERE {_SPAN}) GROUP BY prediction_id)"
    )
    for table in client.blocks(query, stretch.parameters):
        for block in table.to_batches():
            if block.num_rows:
                yield label_columns(block, stretch.deployment)


def rows_by_day(client: Client, stretch: Stretch) -> dict[int, int]:
    """Give the predictions of each UTC day that has some: start of the day, ms, to rows; raises as `predictions`."""
    found = client.query(
        "SELECT intDiv(toUnixTimestamp64Milli(ts), 86400000) AS day, count() AS n FROM predictions "
        f"WHERE {_SPAN} GROUP BY day ORDER BY day",
        stretch.parameters,
    )
    return {int(row["day"]) * DAY_MS: int(row["n"]) for row in found}


def newest_ms(client: Client, deployment: str) -> int | None:
    """Give the greatest event time of a deployment, ms; None without predictions; raises as `predictions`."""
    found = client.query(
        "SELECT toUnixTimestamp64Milli(ts) AS at FROM predictions WHERE deployment = {deployment:String} "
        "ORDER BY deployment DESC, ts DESC LIMIT 1",
        {"deployment": deployment},
    )
    return int(found[0]["at"]) if found else None


def has_labels(client: Client, deployment: str) -> bool:
    """Whether a deployment has any label; raises as `predictions`."""
    return bool(
        client.query(
            "SELECT 1 AS one FROM labels WHERE deployment = {deployment:String} LIMIT 1",
            {"deployment": deployment},
        )
    )


def kept_from_ms(client: Client, partition: int, retention_ms: int, now_ms: int) -> int | None:
    """Give the time, ms, before which records of a partition may have been removed; None when all that came is there.

    Retention counts from arrival, and takes the books of blocks with the rows; so what it may have taken is what came
    before its own bound, or before the oldest block that is left. Raises as `predictions`.
    """
    found = client.query(
        "SELECT min(first) AS first, min(toUnixTimestamp64Milli(written_at)) AS oldest, count() AS n FROM blocks "
        "WHERE topic = 'predictions' AND partition = {partition:UInt32}",
        {"partition": partition},
    )[0]
    if not found["n"]:
        return None
    bound, oldest = now_ms - retention_ms, int(found["oldest"])
    if found["first"] == 0 and oldest >= bound:
        return None
    return max(bound, oldest)


def thinned(client: Client, stretch: Stretch) -> list[Touched]:
    """Give where the archive holds fewer predictions than came, as retention took some; raises as `predictions`.

    What came is told by the lineage, which stays for years; what was to be forgotten is not asked back. A prediction
    arrives a day before its time at the earliest (`worker.future_ms`): older months need not be read.
    """
    found = client.query(
        "SELECT model_version, slot, part FROM ("
        f"SELECT model_version, slot, {_PART} AS part, toInt64(count()) AS n FROM prediction_lookup WHERE {_SPAN} "
        "AND arrived >= fromUnixTimestamp64Milli({since:Int64}, 'UTC') - toIntervalDay(1) "
        "AND prediction_id NOT IN (SELECT prediction_id FROM forgotten WHERE deployment = {deployment:String}) "
        "GROUP BY model_version, slot, part "
        f"UNION ALL SELECT model_version, slot, {_PART} AS part, -toInt64(count()) AS n FROM predictions WHERE {_SPAN} "
        "GROUP BY model_version, slot, part) GROUP BY model_version, slot, part HAVING sum(n) > 0",
        stretch.parameters,
    )
    return [_touched(stretch.deployment, row) for row in found]


def touched_by_rows(client: Client, deployment: str, late: Late) -> list[Touched]:
    """Give where the predictions of some offsets lie; raises as `predictions`."""
    stretch = Stretch(deployment, late.since_ms, late.until_ms)
    of = "" if late.version is None else "AND model_version = {version:String} AND slot = {slot:String} "
    found = client.query(
        f"SELECT DISTINCT model_version, slot, {_PART} AS part FROM predictions WHERE {_SPAN} {of}"
        "AND src_offset BETWEEN {first:UInt64} AND {last:UInt64}",
        {
            **stretch.parameters,
            "version": late.version or "",
            "slot": late.slot or "",
            "first": late.first,
            "last": late.last,
        },
    )
    return [_touched(deployment, row) for row in found]


def touched_by_labels(client: Client, partition: int, offsets: Offsets) -> list[Touched]:
    """Give where the predictions lie that the labels of some offsets name; raises as `predictions`."""
    which = "src_offset IN {single:Array(UInt64)}"
    if offsets.span is not None:
        which = f"({which} OR src_offset BETWEEN {{first:UInt64}} AND {{last:UInt64}})"
    first, last = offsets.span or (0, 0)
    found = client.query(
        f"SELECT DISTINCT deployment, model_version, slot, {_PART} AS part FROM kept_lookup "
        "WHERE (deployment, prediction_id) IN (SELECT deployment, prediction_id FROM labels "
        f"WHERE src_partition = {{partition:UInt32}} AND {which})",
        {"partition": partition, "single": sorted(offsets.single), "first": first, "last": last},
    )
    return [_touched(str(row["deployment"]), row) for row in found]


def label_records(client: Client, partition: int, deployment: str, offsets: Iterable[int]) -> set[int]:
    """Give which of some records of labels are of a deployment."""
    found = client.query(
        "SELECT DISTINCT src_offset FROM labels WHERE deployment = {deployment:String} "
        "AND src_partition = {partition:UInt32} AND src_offset IN {offsets:Array(UInt64)}",
        {"deployment": deployment, "partition": partition, "offsets": sorted(offsets)},
    )
    return {int(row["src_offset"]) for row in found}


def _touched(deployment: str, row: dict[str, Any]) -> Touched:
    return Touched(deployment, str(row["model_version"]), str(row["slot"]), int(row["part"]) * PART_MS)
