"""Replay: events a second of a replay from real Kafka, against one drift worker over the same log.

Both decode and count the same events into the same counters and judge the windows; the worker also keeps and stores
state, which a replay need not. The replay is measured from the first record asked for to the last result, deployment
after deployment; the worker as in `stream`, between two looks at its counters.
"""

from __future__ import annotations

import time
from statistics import median
from typing import Any

import msgspec
import stream
from child import figures
from loads import ROWS

from driftline.deploy.local.environment import child_environment
from driftline.schemas.settings import Settings

MESSAGES = 12_000
ROUNDS = 3
TARGET = 0.8


def replayed(settings: Settings, names: list[str]) -> float:
    """Replay every deployment in a process of its own: events a second."""
    found = figures("replay_again.py", names, child_environment(settings))
    assert found["events"] == MESSAGES * ROWS, found
    return float(found["events"] / found["seconds"])


def run(context: Any) -> list[dict[str, Any]]:
    """Measure; `context.settings` reach a running stack."""
    kafka = msgspec.structs.replace(context.settings.kafka, topic_prefix=f"replay{time.time_ns()}.")
    settings = msgspec.structs.replace(context.settings, kafka=kafka)
    stream.MESSAGES = MESSAGES
    names = stream.fill(settings, 1)
    replays, workers = [], []
    for turn in range(ROUNDS):
        workers.append(stream.workers(settings, 1, turn)[1])
        replays.append(replayed(settings, names))
    ratio = median(one / worker for one, worker in zip(replays, workers, strict=True))
    return [
        {
            "name": "replay: events a second",
            "value": round(median(replays)),
            "unit": "events/s",
            "baseline": round(median(workers)),
            "ratio": round(ratio, 3),
            "target": TARGET,
            "reached": ratio >= TARGET,
        }
    ]
