"""Ids that are predicted again on another day, counted again out of a real ClickHouse: each where it came first."""

from __future__ import annotations

import numpy as np
from cold_world import Book

from driftline.schemas.settings import Settings
from driftline.streams.clickhouse import fact_reads
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.fact_reads import Stretch
from driftline.streams.join.dirty import Offsets
from driftline.streams.replay.cold import Edge
from driftline.streams.replay.duplicates import Duplicates
from driftline.streams.replay.restate import restate_join
from driftline.streams.replay.tasks import JoinTask
from driftline.streams.windows.book import NEVER
from driftline.streams.windows.resolution import DAY_MS
from driftline.streams.windows.rules import Rules

START_MS = 1_750_032_000_000 // DAY_MS * DAY_MS
RULES = Rules(hot_windows=3)
A_DAY = 1_000
# Day, the first of its numbers, and how many: day 1 says 100 of day 0 again, day 10 says 500 of each.
DAYS = ((0, 0, A_DAY), (1, 1_900 - A_DAY, A_DAY), (2, 3_000, A_DAY), (10, 500, A_DAY))


def fill(client: Client) -> None:
    """Write the days in the order of the log, ten rows a record, and a label of every number of day 0."""
    for at, (day, first, rows) in enumerate(DAYS):
        id_ = "sipHash128(n)"
        time = f"fromUnixTimestamp64Milli(toInt64({START_MS + day * DAY_MS} + (n - {first}) * 80000), 'UTC')"
        source = f"(SELECT number + {first} AS n FROM numbers({rows}))"
        place = f"toUInt64({at * rows // 10} + intDiv(n - {first}, 10))"
        client.command(
            "INSERT INTO predictions (deployment, model_version, slot, ts, prediction_id, score_names, scores, "
            f"src_partition, src_offset, arrived) SELECT 'd', '1', 'champion', {time}, {id_}, '[\"score\"]', [0.5], 0, "
            f"{place}, now64(3) FROM {source}"
        )
        client.command(
            "INSERT INTO prediction_lookup (deployment, prediction_id, ts, model_version, slot, src_partition, "
            f"src_offset, arrived) SELECT 'd', {id_}, {time}, '1', 'champion', 0, {place}, now64(3) FROM {source}"
        )
    client.command(
        "INSERT INTO labels (deployment, prediction_id, known_at, number, withdrawn, src_partition, src_offset, "
        "src_row, arrived) SELECT 'd', sipHash128(number), "
        f"fromUnixTimestamp64Milli(toInt64({START_MS}), 'UTC'), 1, false, 0, 0, toUInt32(number), now64(3) "
        f"FROM numbers({A_DAY})"
    )


def test_an_id_counts_where_it_came_first_as_in_memory(lane: Settings) -> None:
    """Barred by a day that still took facts when it came again, and counted once more where that day was cold."""
    end_ms = START_MS + 40 * DAY_MS
    edge = Edge(end_ms, {}, RULES.hot_windows, NEVER)
    task = JoinTask(0, (0, 0), {}, Offsets({0}), {"d": edge}, RULES)
    with Client(lane.clickhouse) as client:
        fill(client)
        found = {
            (one.window_start_ms - START_MS) // DAY_MS: (one.rows, one.labels)
            for part in restate_join(client, task, Book(("1d",)), end_ms)
            for one in part.results
            if one.resolution == "1d"
        }
        # Day 2 has no number of day 0, so no label touches it. The first record of day 10 came while day 0 was hot.
        assert found == {0: (A_DAY, A_DAY), 1: (A_DAY - 100, 0), 10: (A_DAY - 10, 490)}
        duplicates = Duplicates(client, "d", START_MS + DAY_MS, RULES)
        rows = list(duplicates.rows(Stretch("d", START_MS + DAY_MS, START_MS + 2 * DAY_MS)))
        assert sum(cols.rows for _, cols in rows) == 100
        reached = duplicates.reached_ms(np.array([0, 1, 100, 101, 301])) - START_MS
        assert reached.clip(-1).tolist() == [-1, 600_000, 79_800_000, DAY_MS + 600_000, 10 * DAY_MS + 600_000]


def test_what_retention_took_is_told_by_the_lineage(lane: Settings) -> None:
    """Of a day that has lost a prediction the five minutes are named; what was to be forgotten is not asked back."""
    stretch = Stretch("gone", START_MS, START_MS + DAY_MS)
    time = f"fromUnixTimestamp64Milli(toInt64({START_MS} + number * 600000), 'UTC') AS at"
    columns = "deployment, prediction_id, ts, model_version, slot, arrived"
    row = f"'gone', sipHash128(number), {time}, '1', 'champion', now64(3)"
    with Client(lane.clickhouse) as client:
        client.command(f"INSERT INTO prediction_lookup ({columns}) SELECT {row} FROM numbers(10)")
        client.command(f"INSERT INTO predictions ({columns}) SELECT {row} FROM numbers(8)")
        found = [one.start_ms - START_MS for one in fact_reads.thinned(client, stretch)]
        assert sorted(found) == [8 * 600_000, 9 * 600_000]
        client.command(
            "INSERT INTO forgotten (deployment, prediction_id, arrived) "
            "SELECT 'gone', sipHash128(toUInt64(8)), now64(3)"
        )
        assert [one.start_ms - START_MS for one in fact_reads.thinned(client, stretch)] == [9 * 600_000]
