"""What `driftline doctor` looks at in Kafka and ClickHouse: answers, topics, migrations, clocks."""

from __future__ import annotations

import time

from driftline.deploy.local.check import LOOK_SECONDS, Check, fail, ok, split_sentence, warn
from driftline.deploy.local.kafka_topics import admin_client, topic_faults
from driftline.schemas.errors import DriftlineError
from driftline.schemas.settings import Settings
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.migrate import pending

# notes on releases: deduplication tokens and Arrow streams as used here work from this one on.
_OLDEST_CLICKHOUSE = (24, 8)
# An event more than future_ms ahead of the broker's clock is refused; far less skew already blurs windows.
_WISHED_SKEW_SECONDS = 2.0


def kafka_checks(settings: Settings, mend: str) -> list[Check]:
    """Look at the broker and its topics; `mend` says what to do when it does not answer."""
    name = "topics"
    try:
        faults = topic_faults(settings, admin_client(settings))
    except DriftlineError as error:
        return [fail("kafka", str(error), mend)]
    checks = [ok("kafka", f"answers at {settings.kafka.bootstrap}")]
    if not faults:
        return [*checks, ok(name, "all as the contract says")]
    return [*checks, *(split_sentence(name, fault.sentence()) for fault in faults)]


def clickhouse_checks(settings: Settings, mend: str) -> list[Check]:
    """Look at the server: version, clock, migrations; `mend` says what to do when it does not answer."""
    try:
        with Client(settings.clickhouse, database="default", answer_seconds=LOOK_SECONDS) as client:
            row = client.query("SELECT version() AS version, toFloat64(now64(3)) AS now")[0]
        skew = abs(float(row["now"]) - time.time())
        waiting = pending(settings)
    except DriftlineError as error:
        return [fail("clickhouse", str(error), mend)]
    return [_version(str(row["version"]), settings), _clock(skew), _migrations(waiting)]


def _version(version: str, settings: Settings) -> Check:
    numbers = tuple(int(part) for part in version.split(".")[:2])
    where = f"{version} answers at {settings.clickhouse.host}:{settings.clickhouse.port}"
    if numbers < _OLDEST_CLICKHOUSE:
        return fail(
            "clickhouse", f"{where}, too old", f"use {'.'.join(map(str, _OLDEST_CLICKHOUSE))} or later"
        )
    return ok("clickhouse", where)


def _clock(skew_seconds: float) -> Check:
    found = f"{skew_seconds:.1f} s from ClickHouse's"
    if skew_seconds > _WISHED_SKEW_SECONDS:
        return warn("clock", found, "let both machines follow a time server (timedatectl set-ntp true)")
    return ok("clock", found)


def _migrations(waiting: list[str]) -> Check:
    if waiting:
        return fail("migrations", f"{len(waiting)} not applied, first {waiting[0]}", "driftline migrate")
    return ok("migrations", "all applied")
