"""Trace: one prediction among 20 million, from its id to its features, its label and whoever promoted its version.

Rows are written straight into ClickHouse: 20 features each, ids as random ones lie, a label for every fifth, four
deployments, and an audit of 10,000 records. What is timed is all of `driftline trace` but the start of the process: the
connection, every look-up, and the text. Ids are drawn anew for each look. A few whole processes are told beside it,
most of whose time is Python that starts.
"""

from __future__ import annotations

import subprocess
import sys
import time
import uuid
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from driftline.deploy.control.traced import traced
from driftline.deploy.local.environment import child_environment
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.migrate import migrate

if TYPE_CHECKING:
    from driftline.schemas.settings import Settings

ROWS = 20_000_000
PART = 1_000_000
DEPLOYMENTS = 4
RECORDS = 10_000
FEATURES = 20
LOOKS = 200
COMMANDS = 7
TARGET_MS = 100.0
DAY_MS = 86_400_000
HASHES = "bitOr(bitShiftLeft(toUInt128(cityHash64(n)), 64), sipHash64(n))"
ID = f"CAST(reinterpretAsFixedString({HASHES}), 'FixedString(16)')"
DEPLOYMENT = f"concat('d', toString(n % {DEPLOYMENTS}))"
NAMES = msgspec.json.encode([f"x{number}" for number in range(FEATURES)]).decode()


def fill(client: Client, start_ms: int) -> None:
    """Write predictions with their look-up over 20 days, labels, and the audit."""
    at = f"fromUnixTimestamp64Milli(toInt64({start_ms} + intDiv(n * 86400, 1000)), 'UTC')"
    features = f"arrayMap(k -> toFloat32(cityHash64(n, k) / 18446744073709551616), range({FEATURES}))"
    for first in range(0, ROWS, PART):
        numbers = f"(SELECT number + {first} AS n FROM numbers({PART}))"
        client.command(
            "INSERT INTO predictions (deployment, model_version, slot, ts, prediction_id, float_names, floats, "
            "score_names, scores, predicted, latency_ms, status, src_partition, src_offset, arrived) "
            f"SELECT {DEPLOYMENT}, '7', 'champion', {at}, {ID}, '{NAMES}', {features}, '[\"score\"]', [0.5], 'yes', "
            f"1.5, 'ok', 0, intDiv(n, 500), {at} FROM {numbers}"
        )
        client.command(
            "INSERT INTO prediction_lookup (deployment, prediction_id, ts, model_version, slot, src_partition, "
            f"src_offset, arrived) SELECT {DEPLOYMENT}, {ID}, {at}, '7', 'champion', 0, intDiv(n, 500), {at} "
            f"FROM {numbers}"
        )
        client.command(
            "INSERT INTO labels (deployment, prediction_id, known_at, number, withdrawn, src_partition, src_offset, "
            f"src_row, arrived) SELECT {DEPLOYMENT}, {ID}, {at}, 1, false, 0, intDiv(n, 500), 0, {at} "
            f"FROM {numbers} WHERE n % 5 = 0"
        )
    client.command(
        "INSERT INTO audit (seq, event, op, decided_at, actor, approvers, deployment, model_version, champion, "
        "revision_after, record, arrived) SELECT n, 'effective', 'promote', "
        f"fromUnixTimestamp64Milli(toInt64({start_ms}) - {RECORDS} + n, 'UTC'), 'ann', ['bob', 'cat'], {DEPLOYMENT}, "
        "'7', '7', n, repeat('r', 3000), "
        f"fromUnixTimestamp64Milli(toInt64({start_ms}), 'UTC') FROM (SELECT number AS n FROM numbers({RECORDS}))"
    )


def command_ms(settings: Settings, prediction_id: str) -> float:
    """Time the command as a person runs it, ms."""
    words = [sys.executable, "-m", "driftline.deploy.cli", "trace", prediction_id, "--json"]
    began = time.perf_counter()
    said = subprocess.run(words, env=child_environment(settings), capture_output=True, check=True)
    took_ms = (time.perf_counter() - began) * 1_000
    assert prediction_id.encode() in said.stdout
    return took_ms


def run(context: Any) -> list[dict[str, Any]]:
    """Measure; `context.settings` reach a running stack."""
    access = msgspec.structs.replace(context.settings.clickhouse, database=f"trace{time.time_ns()}")
    settings = msgspec.structs.replace(context.settings, clickhouse=access)
    migrate(settings)
    start_ms = time.time_ns() // 1_000_000 - 21 * DAY_MS
    draw = np.random.default_rng(5)
    with Client(access) as client:
        fill(client, start_ms)
        chosen = ", ".join(str(one) for one in draw.integers(0, ROWS, LOOKS))
        ids = [
            uuid.UUID(hex=row["id"])
            for row in client.query(
                f"SELECT lower(hex({ID})) AS id FROM (SELECT arrayJoin(CAST([{chosen}] AS Array(UInt64))) AS n)"
            )
        ]
        took_ms, labelled = [], 0
        for number, one in enumerate(ids):
            began = time.perf_counter()
            (found,) = traced(settings, str(one), None)
            text = list(found.lines())
            if number:  # the first look compiles what all others use
                took_ms.append((time.perf_counter() - began) * 1_000)
            assert found.prediction is not None
            assert found.placed is not None
            assert len(found.facts()["features"]) == FEATURES
            labelled += found.label is not None
            assert text
        assert 0 < labelled < LOOKS
        commands_ms = [command_ms(settings, str(one)) for one in ids[:COMMANDS]]
        client.command(f"DROP DATABASE {access.database}")
    blank = {"baseline": None, "ratio": None}
    return [
        {
            "name": f"trace: one prediction of {ROWS:,}, median",
            "value": round(float(np.median(took_ms)), 1),
            "unit": "ms",
            **blank,
            "target": TARGET_MS,
            "reached": bool(np.median(took_ms) <= TARGET_MS),
        },
        {
            "name": f"trace: one prediction of {ROWS:,}, 99th percentile",
            "value": round(float(np.quantile(took_ms, 0.99)), 1),
            "unit": "ms",
            **blank,
            "target": None,
            "reached": None,
        },
        {
            "name": "trace: the whole command, process and all, median",
            "value": round(float(np.median(commands_ms)), 1),
            "unit": "ms",
            **blank,
            "target": None,
            "reached": None,
        },
    ]
