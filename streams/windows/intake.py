"""Intake: what every worker checks of a record before it counts or stores a row of it.

One function for all roles, so that what `drift` skips is exactly what `archive` writes as a dead letter: a batch is
taken whole or refused whole. Pure: bytes and numbers in, columns out, no client and no clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from driftline.schemas import columns
from driftline.schemas.ahead import ahead_fault
from driftline.schemas.partition import partition_of
from driftline.schemas.refusal import Refused

if TYPE_CHECKING:
    from driftline.schemas.columns import LabelColumns, PredictionColumns


def read(
    value: bytes | None,
    key: bytes | None,
    partition: int,
    partition_count: int,
    record_time_ms: int,
    future_ms: int,
) -> PredictionColumns:
    """Read one record of `predictions`.

    Args:
        value: the record's bytes, single-object encoded; None, a tombstone, is refused as no bytes are.
        key: the record's key as the broker keeps it; it must be the deployment in UTF-8.
        partition: the partition the record lies in.
        partition_count: how many partitions the topic has.
        record_time_ms: when the broker appended the record, milliseconds since the epoch (LogAppendTime).
        future_ms: how far an event may lie ahead of `record_time_ms`, milliseconds.

    Returns:
        The batch's columns, every shape checked.

    Raises:
        Refused: with the reason the dead letter carries.
    """
    cols = columns.read_predictions(value or b"")
    check_place(cols.deployment, key, partition, partition_count)
    _check_ahead(cols.span_ms[1], record_time_ms, future_ms)
    return cols


def read_labels(
    value: bytes | None,
    key: bytes | None,
    partition: int,
    partition_count: int,
    record_time_ms: int,
    future_ms: int,
) -> LabelColumns:
    """Read one record of `labels`; arguments, checks and errors as `read`, `known_at` taken as the time."""
    cols = columns.read_labels(value or b"")
    check_place(cols.deployment, key, partition, partition_count)
    _check_ahead(int(cols.known_at_ms.max()), record_time_ms, future_ms)
    return cols


def check_place(deployment: str, key: bytes | None, partition: int, partition_count: int) -> None:
    """Refuse a record whose key is not its deployment, or whose partition is not murmur2 of that key.

    Two partitions counting the same deployment would give two windows that each look whole.
    """
    wanted = deployment.encode()
    if key != wanted:
        raise Refused(
            "wrong_key",
            f"key {_shown(key)} is not the deployment {deployment!r}: produce with the deployment as key",
        )
    home = partition_of(wanted, partition_count)
    if partition != home:
        raise Refused(
            "wrong_partition",
            f"deployment {deployment!r} belongs to partition {home} of {partition_count}, found in "
            f"{partition}: set the producer's partitioner to murmur2 (librdkafka: murmur2_random)",
        )


def _check_ahead(newest_ms: int, record_time_ms: int, future_ms: int) -> None:
    """Refuse a batch with an event further ahead of the broker's clock than `future_ms`."""
    fault = ahead_fault(newest_ms, record_time_ms, future_ms, "the broker's clock")
    if fault is not None:
        raise Refused("future", fault)


def _shown(key: bytes | None) -> str:
    """Give a key as a person can read it, cut to 80 characters."""
    return "None" if key is None else repr(key.decode("utf-8", "replace")[:80])
