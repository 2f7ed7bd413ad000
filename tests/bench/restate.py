"""Restate: a million late labels over 30 days of a deployment of a million predictions a day, from the archive.

Predictions and labels are written straight into ClickHouse. What is timed is all that the accuracy worker does once the
archive has passed the labels: to find the windows they belong to, to read those windows' predictions and labels in
force, to join and judge them, and to encode every result: five minutes, hours, days, weeks and months.
"""

from __future__ import annotations

import resource
import time
from typing import Any

import msgspec
import numpy as np
from loads import DAY_MS, profile

from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.migrate import migrate
from driftline.streams.join.dirty import Offsets
from driftline.streams.processors.settings_book import SettingsBook
from driftline.streams.processors.terms_book import TermsBook
from driftline.streams.replay.books import ReplayProfiles
from driftline.streams.replay.cold import Edge
from driftline.streams.replay.restate import restate_join
from driftline.streams.replay.tasks import JoinTask

DAYS = 30
A_DAY = 1_000_000
LABELS = 1_000_000
START_MS = 1_750_032_000_000 // DAY_MS * DAY_MS
TARGET_S = 90.0
# Ids as random ones lie: the whole of them hashed.
HASHES = "bitOr(bitShiftLeft(toUInt128(cityHash64(n)), 64), sipHash64(n))"
ID = f"CAST(reinterpretAsFixedString({HASHES}), 'FixedString(16)')"
AT = f"fromUnixTimestamp64Milli(toInt64({START_MS} + intDiv(n * {DAY_MS}, {A_DAY})), 'UTC')"
SCORE = "[toFloat32(sipHash64(n, 1) / 18446744073709551616)]"


def fill(client: Client) -> None:
    """Write predictions, their look-up, and labels of every thirtieth."""
    for day in range(DAYS):
        numbers = f"(SELECT number + {day * A_DAY} AS n FROM numbers({A_DAY}))"
        client.command(
            "INSERT INTO predictions (deployment, model_version, slot, ts, prediction_id, score_names, scores, "
            f"src_partition, src_offset, arrived) SELECT 'bench', '1', 'champion', {AT}, {ID}, '[\"score\"]', "
            f"{SCORE}, 0, intDiv(n, 500), now64(3) FROM {numbers}"
        )
        client.command(
            "INSERT INTO prediction_lookup (deployment, prediction_id, ts, model_version, slot, src_partition, "
            f"src_offset, arrived) SELECT 'bench', {ID}, {AT}, '1', 'champion', 0, intDiv(n, 500), now64(3) "
            f"FROM {numbers}"
        )
    step = DAYS * A_DAY // LABELS
    client.command(
        "INSERT INTO labels (deployment, prediction_id, known_at, number, withdrawn, src_partition, src_offset, "
        f"src_row, arrived) SELECT 'bench', {ID}, {AT} + toIntervalDay(40), toFloat64(sipHash64(n) % 2), false, 0, "
        f"intDiv(n, {step * 500}), 0, now64(3) FROM (SELECT number * {step} AS n FROM numbers({LABELS}))"
    )


def run(context: Any) -> list[dict[str, Any]]:
    """Measure; `context.settings` reach a running stack."""
    access = msgspec.structs.replace(context.settings.clickhouse, database=f"restate{time.time_ns()}")
    settings = msgspec.structs.replace(context.settings, clickhouse=access)
    migrate(settings)
    draw = np.random.default_rng(1)
    made = profile(draw, "bench", end_ms=START_MS, days=30, resolutions=("5m", "1h", "1d"))
    book = TermsBook(ReplayProfiles([made]), SettingsBook())
    end_ms = START_MS + (DAYS + 40) * DAY_MS
    task = JoinTask(
        0, (0, 0), {}, Offsets(span=(0, LABELS)), {"bench": Edge(end_ms, {}, 3, end_ms - 35 * DAY_MS)}
    )
    with Client(access) as client:
        fill(client)
        windows = labels = 0
        began = time.perf_counter()
        for part in restate_join(client, task, book, end_ms):
            for result in part.results:
                result.to_bytes()
                windows += 1
                labels += result.labels if result.resolution == "1d" else 0
        seconds = time.perf_counter() - began
    assert labels == LABELS, f"{labels} labels were restated of {LABELS}"
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    blank = {"baseline": None, "ratio": None, "target": None, "reached": None}
    return [
        {
            "name": "restate: a million late labels over 30 days",
            "value": round(seconds, 1),
            "unit": "s",
            "baseline": None,
            "ratio": None,
            "target": TARGET_S,
            "reached": seconds <= TARGET_S,
        },
        {"name": "restate: windows of these", "value": windows, "unit": "windows", **blank},
        {
            "name": "restate: greatest memory, the benchmark's own included",
            "value": round(peak_mb),
            "unit": "MB",
            **blank,
        },
    ]
