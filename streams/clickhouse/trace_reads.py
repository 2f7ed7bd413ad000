"""Trace reads: everything the archive knows of one prediction, found by its id alone."""

from __future__ import annotations

import json
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
OPS: Final = {"canary": ("canary",), "shadow": ("shadow",), "challenger": ("register",)}
"""What puts a version where it is, by the slot that it answers in; into any other, what makes it champion."""
INSTEAD: Final = ("halt-serving",)
_BY_THEN: Final = "deployment = {deployment:String} AND decided_at <= {at:DateTime64(3, 'UTC')}"
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
    """Give the state that was in force; None where the audit tells of none then. Raises as `lineage`.

    Keys: revision, seq, decided_at, answering (the version that it lets answer callers; empty for none).
    """
    found = client.query(
        "SELECT revision_after AS revision, seq, decided_at, record FROM audit WHERE deployment = {deployment:String} "
        "AND revision_after IS NOT NULL AND decided_at <= {at:DateTime64(3, 'UTC')} ORDER BY seq DESC LIMIT 1",
        {"deployment": place["deployment"], "at": served_at(place)},
        formats={"record": "bytes"},
    )
    if not found:
        return None
    state = _state(found[0])
    answers = (state.get("halt") or {}).get("instead") if state.get("halt") else state.get("champion")
    return {**found[0], "answering": (answers or {}).get("version", "")}


def placed(client: Client, place: Row) -> Row | None:
    """Give what had put the version where it answered, the last before the prediction.

    Of a champion that is the record by which it became champion, or was promoted again: a command, or, where nobody
    had asked for that one, the move of a controller. Of what answers through a halt it is the halt.

    Keys: event, op, seq, decided_at, actor, approvers, deployment, model, model_version, manifest, digest and record
    (the archive's copy of the audit's bytes), package (digest of the manifest that answered); None where the audit
    tells of none. Raises as `lineage`.
    """
    ops = OPS.get(place["slot"])
    if ops is not None:
        return _commanded(client, place, ops)
    found = [one for one in (_became_champion(client, place), _commanded(client, place, INSTEAD)) if one]
    return max(found, key=lambda one: int(one["seq"]), default=None)


def _became_champion(client: Client, place: Row) -> Row | None:
    found = client.query(
        "SELECT seq, before_seq FROM (SELECT seq, event, op, model_version, champion, "
        "lagInFrame(toString(champion)) OVER told AS before, lagInFrame(seq) OVER told AS before_seq FROM audit "
        f"WHERE {_BY_THEN} AND revision_after IS NOT NULL "
        "WINDOW told AS (ORDER BY seq ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)) "
        "WHERE champion = {version:String} AND (before != champion OR "
        "(event = 'effective' AND op = 'promote' AND model_version = champion)) ORDER BY seq DESC LIMIT 1",
        _then(place),
    )
    if not found:
        return None
    made = _record(client, place, "seq = {seq:UInt64}", seq=found[0]["seq"])
    if made is None or made["event"] == "effective":
        return made
    before = _record(client, place, "seq = {seq:UInt64}", seq=found[0]["before_seq"])
    prepared = None if before is None else _state(before).get("change")
    asked = prepared and _record(
        client, place, "event = 'effective' AND command = {command:String}", command=prepared
    )
    return asked if asked and asked["model_version"] == place["model_version"] else made


def _commanded(client: Client, place: Row, ops: Sequence[str]) -> Row | None:
    """The last command of some kinds that took effect and names the version."""
    return _record(
        client,
        place,
        "event = 'effective' AND op IN {ops:Array(String)} AND model_version = {version:String}",
        ops=list(ops),
    )


def _record(client: Client, place: Row, which: str, **more: Any) -> Row | None:  # noqa: ANN401 - parameters of SQL
    """The last record of the deployment before the prediction of which something holds."""
    found = client.query(
        "SELECT event, op, seq, decided_at, actor, approvers, deployment, model, model_version, manifest, digest, "
        f"record FROM audit WHERE {_BY_THEN} AND {which} ORDER BY seq DESC LIMIT 1",
        {**_then(place), **more},
        formats={"record": "bytes"},
    )
    if not found:
        return None
    row = found[0]
    return {**row, "package": row["manifest"] or (_state(row).get("champion") or {}).get("manifest", "")}


def _then(place: Row) -> Row:
    return {
        "deployment": place["deployment"],
        "version": place["model_version"],
        "at": served_at(place),
    }


def _state(row: Row) -> Row:
    """The state in a record of the audit, as far as it can be read; empty where it has none."""
    try:
        detail = json.loads(row["record"]).get("detail") or {}
        found = json.loads(detail.get("state") or "{}")
    except (ValueError, AttributeError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def _bytes(value: bytes) -> str:
    """Sixteen bytes as SQL: a parameter is text, and these are none."""
    return f"CAST(unhex('{value.hex()}') AS FixedString(16))"
