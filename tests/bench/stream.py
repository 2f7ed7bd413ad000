"""The stream: events of one drift worker from real Kafka, against a bare loop that decodes and counts the same.

Both read the same topic, batches of 500 events with 25 features, with CRC checks on; the bare loop keeps no state
beyond its counters and promises nothing. Ratios are of events a CPU-second and of events a second of wall time,
and two workers on two cores against one, which has the second core for what runs beside its interpreter. How much of
a second core this machine gives at all is told beside it: the same decoding and counting from memory, by two
processes against one, with no broker and no worker in it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from statistics import median
from typing import Any

import msgspec
import numpy as np
import psutil
from child import figures
from confluent_kafka import Producer
from loads import ROWS, batch, one_a_partition

from driftline.deploy.local.environment import child_environment
from driftline.deploy.local.kafka_topics import ensure_topics
from driftline.schemas.columns import Identity, PredictionColumns, pack_predictions
from driftline.schemas.profile import Profile
from driftline.schemas.settings import Settings, producer_config
from driftline.streams.windows.profiling import build_profile

DAY_START_MS = 1_750_032_000_000
MESSAGES = 32_000
UNTIL = 0.85
"""The part of the load after which a worker is not measured any more: its last counts wait for a checkpoint's time."""
LOOK_S = 0.25
MEMORY_S = 4.0
ROUNDS = 3
TARGETS = {"cpu": 0.45, "wall": 0.38, "two": 1.8}


def batch_of(draw: np.random.Generator, deployment: str, seq: int) -> PredictionColumns:
    """Make a sealed batch of one day, whose rows lie a millisecond apart."""
    times_ms = DAY_START_MS + seq % 80_000 * 1_000 + np.arange(ROWS, dtype=np.int64)
    return batch(draw, deployment, seq, times_ms)


def profile_of(draw: np.random.Generator, deployment: str) -> Profile:
    """Make a profile at resolution 1d from 20,000 rows."""
    reference = [batch_of(draw, deployment, seq) for seq in range(40)]
    return build_profile(reference, rng=draw, created_at_ms=0, provenance="held-out", resolutions=("1d",))


def fill(settings: Settings, seed: int) -> list[str]:
    """Publish a profile for each deployment, and MESSAGES batches in turn."""
    ensure_topics(settings)
    names, draw = one_a_partition(settings, "bench"), np.random.default_rng(seed)
    producer = Producer(producer_config(settings.kafka, queue_buffering_max_kbytes=1 << 20, linger_ms=50))
    for name in names:
        profile = profile_of(draw, name).to_bytes()
        producer.produce(f"{settings.kafka.topic_prefix}profiles", profile, f"{name}/1".encode())
    ready = {name: [batch_of(draw, name, seq) for seq in range(50)] for name in names}
    for number in range(MESSAGES):
        name = names[number % len(names)]
        seq = number // len(names)
        one = ready[name][seq % 50]
        one.identity = Identity(f"bench-{name}", 1, seq)
        producer.produce(f"{settings.kafka.topic_prefix}predictions", pack_predictions(one), name.encode())
        producer.poll(0)
    assert producer.flush(120) == 0, "the broker did not take the load"
    return names


def bare(settings: Settings, seed: int) -> tuple[float, float]:
    """Run the bare loop in a process of its own: (events a CPU-second, events a second)."""
    found = figures("bare_loop.py", [str(seed)], child_environment(settings))
    return found["events"] / found["cpu"], found["events"] / found["wall"]


def workers(settings: Settings, count: int, group: int) -> tuple[float, float]:
    """Run drift workers over the whole topic: (events a CPU-second of them, events a second).

    Measured between two looks at their counters, the first after the first checkpoint, so that starting, warming
    and joining the group stay out of it.
    """
    prefix = f"{settings.kafka.topic_prefix}g{group}."
    command = [sys.executable, str(Path(__file__).with_name("drift_again.py")), prefix]
    env = child_environment(settings)
    members = [subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    try:
        ports = [int(json.loads(member.stdout.readline())["port"]) for member in members if member.stdout]
        return _slope(members, ports, MESSAGES * ROWS)
    finally:
        for member in members:
            member.terminate()
        for member in members:
            member.wait(30)


def from_memory(count: int) -> float:
    """Count from memory in so many processes at once: events a second of all of them."""
    command = [sys.executable, str(Path(__file__).with_name("from_memory.py")), str(MEMORY_S)]
    members: list[subprocess.Popen[str]] = []
    try:
        members.extend(
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(count)
        )
        for member in members:
            assert member.stdout is not None
            assert member.stdout.readline() == "ready\n", "counting from memory did not begin"
        answers = [member.stdin for member in members if member.stdin]
        for answer in answers:
            answer.write("go\n")
            answer.flush()
        return sum(float(member.communicate(timeout=MEMORY_S + 30)[0]) for member in members)
    finally:
        for member in members:
            member.kill()
            member.wait(30)


def _slope(members: list[subprocess.Popen[str]], ports: list[int], total: int) -> tuple[float, float]:
    processes = [psutil.Process(member.pid) for member in members]

    def look() -> tuple[list[int], float, float]:
        events = [_events(port) for port in ports]
        return events, sum(sum(one.cpu_times()[:2]) for one in processes), time.perf_counter()

    deadline = time.monotonic() + 180
    first = look()
    while not all(first[0]) and time.monotonic() < deadline:
        time.sleep(LOOK_S)
        first = look()
    last = first
    while sum(last[0]) < total * UNTIL and time.monotonic() < deadline:
        time.sleep(LOOK_S)
        last = look()
    events = sum(last[0]) - sum(first[0])
    assert events > total / 3, f"the workers counted {sum(last[0])} of {total} events in time"
    return events / (last[1] - first[1]), events / (last[2] - first[2])


def _events(port: int) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        lines = answer.read().decode().splitlines()
    return int(
        sum(float(line.split()[-1]) for line in lines if line.startswith("driftline_drift_events_total"))
    )


def run(context: Any) -> list[dict[str, Any]]:
    """Measure; `context.settings` reach a running stack."""
    kafka = msgspec.structs.replace(context.settings.kafka, topic_prefix=f"bench{time.time_ns()}.")
    settings = msgspec.structs.replace(context.settings, kafka=kafka)
    fill(settings, 1)
    loops, ones, twos, alone, together = [], [], [], [], []
    for turn in range(ROUNDS):
        loops.append(bare(settings, turn))
        ones.append(workers(settings, 1, 2 * turn))
        twos.append(workers(settings, 2, 2 * turn + 1))
        alone.append(from_memory(1))
        together.append(from_memory(2))
    cpu = [one[0] / loop[0] for one, loop in zip(ones, loops, strict=True)]
    wall = [one[1] / loop[1] for one, loop in zip(ones, loops, strict=True)]
    two = [pair[1] / one[1] for pair, one in zip(twos, ones, strict=True)]
    cores = [pair / one for pair, one in zip(together, alone, strict=True)]
    return [
        _row(
            "stream: events a CPU-second",
            [o[0] for o in ones],
            [loop[0] for loop in loops],
            cpu,
            TARGETS["cpu"],
        ),
        _row(
            "stream: events a second",
            [o[1] for o in ones],
            [loop[1] for loop in loops],
            wall,
            TARGETS["wall"],
        ),
        _row(
            "stream: two workers on two cores",
            [p[1] for p in twos],
            [o[1] for o in ones],
            two,
            TARGETS["two"],
        ),
        _row("stream: from memory, two processes on this machine's two cores", together, alone, cores, None),
    ]


def _row(
    name: str, values: list[float], baselines: list[float], ratios: list[float], target: float | None
) -> dict[str, Any]:
    ratio = median(ratios)
    return {
        "name": name,
        "value": round(median(values)),
        "unit": "events/s",
        "baseline": round(median(baselines)),
        "ratio": round(ratio, 3),
        "target": target,
        "reached": None if target is None else ratio >= target,
    }
