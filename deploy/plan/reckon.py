"""From a load to partitions, workers, cores, memory, disks and network, by measured costs; pure."""

from __future__ import annotations

import math
from typing import Final

import msgspec

from driftline.deploy.plan.costs import FLEET, HELD_BYTES, LATE_LABEL_S, at, drift_memory_mb
from driftline.schemas.settings import Settings
from driftline.schemas.topics import TOPICS

DAY_S: Final = 86_400
DAY_MS: Final = 86_400_000
MB: Final = 1e6
UTILISATION: Final = 0.5
"""Of a core or worker at the peak: the other half catches up after an outage."""
NARROW: Final = 3
"""Widths of windows that are counted: 5 minutes, hours, days."""
MERGED: Final = 2
"""Widths that are made of days: weeks and months."""
OPEN_EVERY: Final = 6
"""An open week or month is published once in so many times an open day is: streams/windows/merges.py, which a bare
install cannot import."""
WINDOWS_A_DAY: Final = 288 + 24 + 1
LEAST_PARTITIONS: Final = 4
READERS: Final = ("drift", "accuracy", "archive")
CLICKHOUSE_GB: Final = 8.0
BROKER_GB: Final = 4.0
HEADROOM: Final = 1.5
"""Disk and memory beyond what is reckoned: merges, compaction, growth."""


class Load(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be watched.

    Attributes:
        events: predictions a second of all deployments together, on average.
        features: of a prediction.
        deployments: how many there are.
        labels: share of predictions that get a label, 0 to 1.
        days: how long predictions and labels stay in ClickHouse.
        lineage_days: how long it stays which version made a prediction.
        peak: greatest rate of an hour over the average.
        replicas: copies of a Kafka partition.
        publish_s: seconds between two publications of an open window.
        label_hours: how long after a prediction its label comes.
    """

    events: float
    features: int
    deployments: int
    labels: float
    days: int
    lineage_days: int
    peak: float
    replicas: int
    publish_s: float
    label_hours: float


class Role(msgspec.Struct, frozen=True, kw_only=True):
    """One kind of worker: how many, the cores all of them use at the peak, and the memory of each."""

    workers: int
    cores: float
    memory_mb: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a load needs; sizes in GB (1e9 bytes), rates in MB/s (1e6 bytes), all at the peak but for disks."""

    partitions: int
    roles: dict[str, Role]
    kafka_cores: float
    kafka_memory_gb: float
    kafka_disk_gb: float
    kafka_in_mb_s: float
    kafka_out_mb_s: float
    clickhouse_cores: float
    clickhouse_memory_gb: float
    clickhouse_disk_gb: float
    clickhouse_in_mb_s: float
    disks: dict[str, float]
    hot_hours: float
    warnings: list[str]


def reckon(load: Load, settings: Settings) -> Plan:
    """Give what a load needs, by the settings that shape it and costs as they were measured."""
    peak, count = load.events * load.peak, load.features
    roles = {role: _role(role, load, settings) for role in READERS}
    most = max(role.workers for role in roles.values())
    roles["alerts"] = Role(workers=1, cores=0.1, memory_mb=_up(150 + load.deployments * 0.2, 50))
    partitions = max(LEAST_PARTITIONS, 1 << math.ceil(math.log2(2 * most)))
    kafka, tables = _kafka_disks(load), _tables(load, settings)
    message = at("a prediction in Kafka", count) + load.labels * at("a label in Kafka", count)
    published = _publications_s(load) * at("a published window in Kafka", count)
    incoming = peak * message + published
    disks = {f"Kafka: {name}": size for name, size in kafka.items()}
    disks |= {f"ClickHouse: {name}": size for name, size in tables.items()}
    return Plan(
        partitions=partitions,
        roles=roles,
        kafka_cores=_cores(at("kafka, processor", count), peak) * load.replicas,
        kafka_memory_gb=BROKER_GB,
        kafka_disk_gb=round(HEADROOM * sum(kafka.values()), 1),
        kafka_in_mb_s=round(incoming * load.replicas / MB, 2),
        # Predictions and labels are read by three roles, windows by two.
        kafka_out_mb_s=round((peak * message * len(READERS) + published * 2) / MB, 2),
        clickhouse_cores=_cores(at("clickhouse, processor", count), peak),
        clickhouse_memory_gb=CLICKHOUSE_GB,
        clickhouse_disk_gb=round(HEADROOM * sum(tables.values()), 1),
        clickhouse_in_mb_s=round((peak * (4 * count + 80) + published) / MB, 2),
        disks={name: round(size, 2) for name, size in disks.items()},
        hot_hours=round(_hot_hours(load, settings, roles["accuracy"].workers), 1),
        warnings=list(_warnings(load, roles, tables)),
    )


def _role(role: str, load: Load, settings: Settings) -> Role:
    cores = _cores(at(f"{role}, processor", load.features), load.events * load.peak)
    if role == "accuracy" and load.label_hours > _hot_hours(load, settings, max(1, math.ceil(cores))):
        cores = round(cores + _cores(LATE_LABEL_S, load.events * load.labels), 2)
    workers = max(math.ceil(cores), math.ceil(load.deployments / FLEET))
    each = at(f"{role}, memory", load.features)
    if role == "drift":
        each = drift_memory_mb(load.features, load.deployments / workers)
    if role == "accuracy":
        each += settings.worker.state_bytes / MB
    return Role(workers=workers, cores=cores, memory_mb=_up(each * HEADROOM, 50))


def _cores(cpu_s_a_million: float, events_s: float) -> float:
    return round(cpu_s_a_million * events_s / 1e6 / UTILISATION, 2)


def _publications_s(load: Load) -> float:
    """Windows published a second: each open one as often as it may, but not oftener than events come."""
    a_width = min(1 / load.publish_s, load.events / load.deployments)
    roles = 1 if load.labels == 0 else 2
    return load.deployments * roles * a_width * (NARROW + MERGED / OPEN_EVERY)


def _kafka_disks(load: Load) -> dict[str, float]:
    """Bytes of each large topic on all brokers, GB."""
    days = {topic.name: (topic.retention_ms or 0) / DAY_MS for topic in TOPICS}
    events_a_day = load.events * DAY_S
    a_day = {
        "predictions": events_a_day * at("a prediction in Kafka", load.features),
        "labels": events_a_day * load.labels * at("a label in Kafka", load.features),
        "windows": _publications_s(load) * DAY_S * at("a published window in Kafka", load.features),
    }
    return {name: size * days[name] * load.replicas / 1e9 for name, size in a_day.items()}


def _tables(load: Load, settings: Settings) -> dict[str, float]:
    """Bytes of each large table, GB."""
    events_a_day, count = load.events * DAY_S, load.features
    roles = 1 if load.labels == 0 else 2
    windows = load.deployments * roles * WINDOWS_A_DAY * settings.archive.windows_retention_days
    return {
        "predictions": events_a_day * load.days * at("a prediction in ClickHouse", count) / 1e9,
        "labels": events_a_day * load.labels * load.days * at("a label in ClickHouse", count) / 1e9,
        "prediction_lookup": events_a_day * load.lineage_days * at("its place in the look-up", count) / 1e9,
        "windows": windows * at("a window in ClickHouse", count) / 1e9,
    }


def _hot_hours(load: Load, settings: Settings, workers: int) -> float:
    """How long a prediction waits in memory for its label, if memory alone bounds it."""
    return settings.worker.state_bytes * workers / (HELD_BYTES * load.events * 3_600)


def _warnings(load: Load, roles: dict[str, Role], tables: dict[str, float]) -> list[str]:
    found = []
    most = max(roles[role].workers for role in READERS)
    if most > load.deployments:
        found.append(
            f"one deployment is counted by one worker, and {most} workers are needed for {load.deployments}: split "
            "a deployment into cells that emit under names of their own"
        )
    if tables["prediction_lookup"] > tables["predictions"]:
        found.append(
            "most of ClickHouse's disk is the look-up, which says for years which version made a prediction: "
            "archive.lineage_retention_days shortens it"
        )
    kafka = _kafka_disks(load)
    if kafka["windows"] > kafka["predictions"]:
        found.append(
            "most of Kafka's disk is open windows that are published again and again: a greater "
            "worker.publish_seconds makes them fewer"
        )
    return found


def _up(value: float, step: int) -> int:
    return math.ceil(value / step) * step
