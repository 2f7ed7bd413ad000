"""Replay: events a second of a replay from real Kafka, against one drift worker over the same log.

Both decode and count the same events into the same counters and judge the windows; the worker also keeps and stores
state, which a replay need not. The replay is measured from the first record asked for to the last result, deployment
after deployment; the worker as in `stream`, between two looks at its counters.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import stream

from driftline.deploy.local.environment import child_environment
from driftline.schemas.settings import Settings

MESSAGES = 12_000
ROUNDS = 3
TARGET = 0.8


def replayed(settings: Settings, names: list[str]) -> float:
    """Replay every deployment in a process of its own: events a second."""
    command = [sys.executable, str(Path(__file__).with_name("replay_again.py")), *names]
    done = subprocess.run(
        command, env=child_environment(settings), check=True, capture_output=True, text=True, timeout=300
    )
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["events"] == MESSAGES * stream.ROWS, figures
    return float(figures["events"] / figures["seconds"])


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
