"""Trace reads: everything the archive knows of one prediction, found by its id alone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from driftline.streams.clickhouse.client import Client

MOST: Final = 100
"""Predictions of one id that are told of: versions and slots, repeats too."""
REPLAYED: Final = timedelta(days=7)
"""No spool is older: an event time further before its arrival is a replay's, which happened when it arrived."""
# What puts a version where it is, by the slot that it answered in.
_OPS: Final = {"canary": ("canary",), "shadow": ("shadow",), "challenger": ("register",)}
_PROMOTING: Final = ("create", "promote", "rollback", "halt-serving")
Row = dict[str, Any]


def lineage(client: Client, ids: Sequence[bytes], deployment: str | None = None) -> list[Row]:
    """Give where an id was predicted, oldest first, at most `MOST`.

    Args:
        client: where the archive is.
        ids: the 16 bytes that are looked for, each of them.
        deployment: only in this one.

    Returns:
        Keys: deployment, prediction_id (bytes), ts, arrived, model_version, slot.

    Raises:
        ClickHouseError: the server is away or refuses.
    """
    found = client.query(
        "SELECT deployment, lower(hex(prediction_id)) AS id, ts, arrived, model_version, slot FROM lineage "
        f"WHERE prediction_id IN ({', '.join(_bytes(one) for one in ids)})"
        + ("" if deployment is None else " AND deployment = {deployment:String}")
        + f" ORDER BY arrived, ts, model_version, slot LIMIT {MOST}",
        {} if deployment is None else {"deployment": deployment},
    )
    return [{**row, "prediction_id": bytes.fromhex(row.pop("id"))} for row in found]


def prediction(client: Client, place: Row) -> Row | None:
    """Give what was asked and answered of one row of `lineage`; None once retention, or `forget`, took it.

    Keys: original_id, features, scores and segments (name to value), predicted, latency_ms, status. Raises as
    `lineage`.
    """
    found = client.query(
        "SELECT original_id, float_list, floats, double_list, doubles, category_list, categories, nulls, wrong, "
        "score_list, scores, predicted, segment_list, segments, latency_ms, status FROM predictions "
        "WHERE deployment = {deployment:String} AND ts = {ts:DateTime64(3, 'UTC')} "
        f"AND prediction_id = {_bytes(place['prediction_id'])} AND model_version = {{version:String}} "
        "AND slot = {slot:String} ORDER BY src_offset LIMIT 1",
        {
            "deployment": place["deployment"],
            "ts": place["ts"],
            "version": place["model_version"],
            "slot": place["slot"],
        },
    )
    if not found:
        return None
    row = found[0]
    absent = {*row["nulls"], *row["wrong"]}
    features = {
        name: None if name in absent else value
        for names, values in (
            ("float_list", "floats"),
            ("double_list", "doubles"),
            ("category_list", "categories"),
        )
        for name, value in zip(row[names], row[values], strict=True)
    }
    return {
        **{name: row[name] for name in ("original_id", "predicted", "latency_ms", "status")},
        "features": features,
        "scores": dict(zip(row["score_list"], row["scores"], strict=True)),
        "segments": dict(zip(row["segment_list"], row["segments"], strict=True)),
    }


def label(client: Client, place: Row) -> Row | None:
    """Give the label in force of a row of `lineage`: value and known_at; None without one. Raises as `lineage`."""
    found = client.query(
        "SELECT number, CAST(class AS Nullable(String)) AS class, withdrawn, known_at FROM labels "
        f"WHERE deployment = {{deployment:String}} AND prediction_id = {_bytes(place['prediction_id'])} "
        "ORDER BY known_at DESC, src_offset DESC, src_row DESC LIMIT 1",
        {"deployment": place["deployment"]},
    )
    if not found or found[0]["withdrawn"]:
        return None
    row = found[0]
    return {"value": row["class"] if row["number"] is None else row["number"], "known_at": row["known_at"]}


def served_at(place: Row) -> datetime:
    """The time whose state of the deployment counts for a row of `lineage`."""
    at: datetime = place["ts"]
    return place["arrived"] if place["arrived"] - at > REPLAYED else at


def revision(client: Client, place: Row) -> Row | None:
    """Give the state that was in force: revision, seq, decided_at; None where the audit tells of none then.

    Raises as `lineage`.
    """
    found = client.query(
        "SELECT revision_after AS revision, seq, decided_at FROM audit WHERE deployment = {deployment:String} "
        "AND revision_after IS NOT NULL AND decided_at <= {at:DateTime64(3, 'UTC')} ORDER BY seq DESC LIMIT 1",
        {"deployment": place["deployment"], "at": served_at(place)},
    )
    return found[0] if found else None


def placed(client: Client, place: Row) -> Row | None:
    """Give the command that had put the version where it answered, the last before the prediction.

    Keys: event, op, seq, decided_at, actor, approvers, deployment, model, model_version, manifest, digest and record
    (the archive's copy of the audit's bytes); None where the audit tells of none. Raises as `lineage`.
    """
    found = client.query(
        "SELECT event, op, seq, decided_at, actor, approvers, deployment, model, model_version, manifest, digest, "
        "record FROM audit WHERE deployment = {deployment:String} AND event = 'effective' "
        "AND op IN {ops:Array(String)} AND model_version = {version:String} "
        "AND decided_at <= {at:DateTime64(3, 'UTC')} ORDER BY seq DESC LIMIT 1",
        {
            "deployment": place["deployment"],
            "ops": list(_OPS.get(place["slot"], _PROMOTING)),
            "version": place["model_version"],
            "at": served_at(place),
        },
        formats={"record": "bytes"},
    )
    return found[0] if found else None


def _bytes(value: bytes) -> str:
    """Sixteen bytes as SQL: a parameter is text, and these are none."""
    return f"CAST(unhex('{value.hex()}') AS FixedString(16))"
