"""Traced: one prediction from its inputs to the people who put its version there."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import AuditRecord
from driftline.agents.control.grants import is_glass_broken
from driftline.agents.control.trust import CONTROLLER
from driftline.deploy.control.errors import TraceError
from driftline.deploy.control.shown import GLASS
from driftline.schemas.ids import ids_named
from driftline.streams.clickhouse import trace_reads
from driftline.streams.clickhouse.client import Client

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from driftline.schemas.settings import Settings

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Traced:
    """One prediction. Rows are those of `trace_reads`; None for what the archive has not, or not any more."""

    place: Row
    prediction: Row | None
    label: Row | None
    state: Row | None
    placed: Row | None

    @property
    def seq(self) -> int:
        """Of the record that put the version where it answered; -1 without one."""
        return -1 if self.placed is None else int(self.placed["seq"])

    @property
    def is_aside(self) -> bool:
        """Whether it answered callers though the revision in force then let another version answer, or none."""
        return (
            self.state is not None
            and self.place["slot"] == "champion"
            and self.state["answering"] != self.place["model_version"]
        )

    @property
    def is_glass_broken(self) -> bool:
        """Whether what put it there was asked for with the glass broken, as the archive's copy of the audit says."""
        try:
            return is_glass_broken(
                AuditRecord.from_bytes(self.placed["record"]).envelope if self.placed else None
            )
        except AuditError:
            return False

    def facts(self) -> dict[str, Any]:
        """Give all of it as `--json` prints it."""
        said, put = self.prediction, self.placed
        return {
            "id": str(uuid.UUID(bytes=self.place["prediction_id"])),
            "original_id": None if said is None else said["original_id"],
            "deployment": self.place["deployment"],
            "model_version": self.place["model_version"],
            "slot": self.place["slot"],
            "time": _utc(self.place["ts"]),
            "arrived": _utc(self.place["arrived"]),
            "revision": None if self.state is None else self.state["revision"],
            "answering": None if self.state is None else self.state["answering"] or None,
            "manifest": None if put is None else put["package"] or None,
            "is_stored": said is not None,
            **{
                name: None if said is None else said[name]
                for name in ("features", "scores", "segments", "predicted", "latency_ms", "status")
            },
            "label": None
            if self.label is None
            else {"value": self.label["value"], "known_at": _utc(self.label["known_at"])},
            "placed_by": None
            if put is None
            else {
                "op": put["op"] or put["event"],
                "actor": put["actor"] or CONTROLLER,
                "approvers": list(put["approvers"]),
                "break_glass": self.is_glass_broken,
                "at": _utc(put["decided_at"]),
                "seq": put["seq"],
            },
        }

    def lines(self) -> Iterator[tuple[str, str]]:
        """Give it as a person reads it: what, and its text."""
        facts, said, put = self.facts(), self.prediction, self.placed
        own = f" ({facts['original_id']})" if facts["original_id"] else ""
        yield "prediction", f"{facts['id']}{own} of {facts['deployment']}, {facts['time']}"
        revision = "" if facts["revision"] is None else f", revision {facts['revision']}"
        package = "" if facts["manifest"] is None else f", package {facts['manifest'][:16]}"
        yield "version", f"{facts['model_version']} as {facts['slot']}{revision}{package}"
        if self.is_aside:
            yield (
                "",
                (
                    f"that revision lets {facts['answering'] or 'nobody'} answer: this agent was not there yet, or "
                    "obeyed a command that was given to it alone"
                ),
            )
        if said is None:
            yield "features", "gone: retention has removed them, or they were forgotten"
        else:
            yield from (
                (name, _named(said[name])) for name in ("features", "scores", "segments") if said[name]
            )
            yield from ((name, str(said[name])) for name in ("predicted", "status") if said[name] is not None)
            if said["latency_ms"] is not None:
                yield "latency", f"{said['latency_ms']:.3g} ms"
        if self.label is None:
            yield "label", "none"
        else:
            yield "label", f"{self.label['value']}, known {_utc(self.label['known_at'])}"
        if put is None:
            yield "put there", "by nobody whom the audit names"
            return
        approved = (
            f", approved by {', '.join(put['approvers'])}" if put["approvers"] else ", without approvals"
        )
        by = facts["placed_by"]
        approved += GLASS if by["break_glass"] else ""
        yield "put there", f"by {by['actor']} ({by['op']}){approved}, {by['at']}"
        yield "audit", f"record {put['seq']}"


def traced(settings: Settings, prediction_id: str, deployment: str | None) -> list[Traced]:
    """Give every prediction of an id, oldest first.

    Args:
        settings: where the archive is.
        prediction_id: as a person writes it.
        deployment: only of this one; None for any.

    Raises:
        TraceError: there is none.
        ClickHouseError: the server is away or refuses.
    """
    with Client(settings.clickhouse) as client:
        ids = ids_named(prediction_id)
        places = trace_reads.lineage(client, ids, deployment) if ids else []
        if not places:
            where = "" if deployment is None else f" of {deployment!r}"
            first = ids_named(f"{prediction_id}/0")
            if first and trace_reads.lineage(client, first, deployment):
                raise TraceError(
                    f"no prediction{where} has the id {prediction_id[:100]!r}, which is that of a request of several "
                    f"rows: each has its own, from {prediction_id[:100] + '/0'!r} on"
                )
            raise TraceError(
                f"no prediction{where} has the id {prediction_id[:100]!r}: see 'driftline status' for what the archive "
                "has yet to store, or give the id as the application or the emitter did"
            )
        return [
            Traced(
                place=place,
                prediction=trace_reads.prediction(client, place),
                label=trace_reads.label(client, place),
                state=trace_reads.revision(client, place),
                placed=trace_reads.placed(client, place),
            )
            for place in places
        ]


def _named(values: dict[str, Any]) -> str:
    return ", ".join(
        f"{name}={value:.6g}" if isinstance(value, float) else f"{name}={value}"
        for name, value in values.items()
    )


def _utc(time: datetime) -> str:
    return f"{time:%Y-%m-%dT%H:%M:%S}.{time.microsecond // 1000:03}Z"
