"""How a plan is told: its machines as a table, and what it assumes."""

from __future__ import annotations

from typing import Final

from driftline.deploy.plan.costs import FLEET, LATE_LABEL_S
from driftline.deploy.plan.reckon import BROKER_GB, CLICKHOUSE_GB, HEADROOM, UTILISATION, Load, Plan

WIDTH: Final = 78
GB_IN_TB: Final = 1_000
FEW_CORES: Final = 0.1


def title(load: Load) -> str:
    """Say what is to be watched.

    >>> title(Load(events=200, features=40, deployments=50, labels=0.8, days=90, lineage_days=2557, peak=3,
    ...            replicas=3, publish_s=10, label_hours=24))
    '200 events/s (600 at the peak), 40 features, 50 deployments, labels for 80 %'
    """
    return (
        f"{load.events:,g} events/s ({load.events * load.peak:,g} at the peak), {load.features:,} features, "
        f"{load.deployments:,} deployments, labels for {load.labels:.0%}".replace("%", " %")
    )


def machines(load: Load, plan: Plan) -> list[tuple[str, ...]]:
    """Give the rows of the table: part, how many, cores, memory, disk, network."""
    rows = [
        (f"worker {name}", f"{role.workers}", cores(role.cores), f"{role.memory_mb:,} MB each", "", "")
        for name, role in plan.roles.items()
    ]
    network = f"{plan.kafka_in_mb_s:,.1f} in, {plan.kafka_out_mb_s:,.1f} out"
    memory = f"{plan.kafka_memory_gb:g} GB each"
    kafka = (f"{load.replicas} brokers", cores(plan.kafka_cores), memory, size(plan.kafka_disk_gb), network)
    memory = f"{plan.clickhouse_memory_gb:g} GB"
    written = f"{plan.clickhouse_in_mb_s:,.1f} in"
    clickhouse = ("1", cores(plan.clickhouse_cores), memory, size(plan.clickhouse_disk_gb), written)
    return [
        *rows,
        ("Kafka", *kafka),
        ("ClickHouse", *clickhouse),
        ("partitions", f"{plan.partitions}", "", "", "", ""),
    ]


def cores(used: float) -> str:
    """Write how many cores are used.

    >>> cores(0.004), cores(2.25)
    ('< 0.1', '2.25')
    """
    return f"{used:g}" if used >= FEW_CORES else f"< {FEW_CORES:g}"


def size(gigabytes: float) -> str:
    """Write a size in GB or TB.

    >>> size(12.3), size(45_678)
    ('12.3 GB', '45.7 TB')
    """
    if gigabytes >= GB_IN_TB:
        return f"{gigabytes / GB_IN_TB:,.1f} TB"
    return f"{gigabytes:,.1f} GB"


def assumptions(load: Load, plan: Plan) -> list[str]:
    """Say all that the figures rest on, a sentence each."""
    share = f"{UTILISATION:.0%}".replace("%", " %")
    late = (
        f"labels come {load.label_hours:g} hours after their predictions; a prediction waits for its own in memory "
        f"{plan.hot_hours:g} hours at most"
    )
    return [
        (
            f"the busiest hour has {load.peak:g} times the average, and the peak uses {share} of cores and workers, so "
            "that the rest catches up after an outage"
        ),
        "a million events cost what docs/benchmarks.md says (rows cost): numeric features, two virtual cores",
        (
            f"a worker is one process of about one core, follows {FLEET} deployments at most, and alone counts each of "
            "them for its role"
        ),
        f"Kafka keeps {load.replicas} copies, predictions and labels 7 days, windows 14 (docs/reference/topics.md)",
        (
            f"ClickHouse keeps one copy: predictions and labels {load.days:,} days, which version made a prediction "
            f"{load.lineage_days:,} (archive.lineage_retention_days)"
        ),
        f"windows of 5 minutes, hours and days are open, and published every {load.publish_s:g} s while events come",
        f"{late}; of later ones the windows are counted again from ClickHouse, {LATE_LABEL_S:g} s a million",
        f"disks, and the memory of workers, are {HEADROOM:g} times what is needed: merges, growth, profiles to come",
        (
            f"not measured but usual: {BROKER_GB:g} GB of memory for a broker, {CLICKHOUSE_GB:g} for ClickHouse; the "
            "board, the controller and serving agents are not in this plan"
        ),
    ]
