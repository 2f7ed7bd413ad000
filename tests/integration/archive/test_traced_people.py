"""Who put a champion there: the archive says of a prediction what the replay of the audit says, at every moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from archiving import rows_of
from office import PLAN, Office
from office_audit import lines
from signed import model

from driftline.agents.audit.record import digest
from driftline.agents.control.moves import abandon, back, baked
from driftline.agents.control.trust import CONTROLLER
from driftline.agents.control.verdicts import Refusal
from driftline.deploy.control.past import Past
from driftline.schemas.settings import Settings
from driftline.streams.clickhouse import trace_reads
from driftline.streams.clickhouse.audit_rows import audit_rows, line_of
from driftline.streams.clickhouse.client import Client

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moves(office: Office, made: Callable[..., Any]) -> None:
    """Let the controller move of its own accord."""
    found = made(office.state, office.desk.at(office.now_ms))
    assert not isinstance(found, Refusal), found
    office.told += office.desk.move(found, made.__name__, office.now_ms)


def lived() -> tuple[Office, list[tuple[int, int, str]]]:
    """Return a deployment that lived, and after each step when it was, how long the audit, and who was champion."""
    office = Office("low")
    office.created("1")
    steps: list[Callable[[], Any]] = [
        lambda: office.canary("2"),
        lambda: office.does("rollback", "oli", model=model("1")),
        lambda: office.registered("3"),
        lambda: office.does("promote", "ann", model=model("3")),
        lambda: moves(office, back),
        lambda: office.does("promote", "eve", model=model("1")),
        lambda: office.registered("4"),
        lambda: office.does("promote", "ann", model=model("4")),
        lambda: office.does("rollback", "oli", model=model("1")),
        lambda: office.registered("5"),
        lambda: office.ask("promote", "ann", model=model("5")),
        lambda: office.ask("halt-serving", "oli"),
        lambda: office.does("resume", "oli", target="serving"),
        lambda: office.does("promote", "ann", model=model("5")),
        lambda: office.does("canary", "ann", model=model("1"), plan=PLAN),
        lambda: moves(office, abandon),
        lambda: setattr(office, "now_ms", office.state.bake_until_ms + 1),
        lambda: moves(office, baked),
    ]
    moments = []
    for step in steps:
        office.now_ms += 10_000
        step()
        assert office.state.champion is not None
        moments.append((office.now_ms, 1 + len(office.told), office.state.champion.version))
    return office, moments


def asked(client: Client, at_ms: int, version: str) -> dict[str, Any]:
    """Return who had put a version there that answered as champion a moment later."""
    at = EPOCH + timedelta(milliseconds=at_ms + 1)
    place = {"deployment": "churn", "ts": at, "arrived": at, "model_version": version, "slot": "champion"}
    found = trace_reads.placed(client, place)
    assert found is not None
    return found


def test_a_champion_is_traced_to_whoever_put_it_there_last(lane: Settings) -> None:
    """Not to who took a canary back meanwhile, nor to who asked for what was never prepared; to the controller too."""
    office, moments = lived()
    records = lines(office)
    table = audit_rows([line_of(one) for one in records], range(len(records)), [office.now_ms] * len(records))
    said = set()
    with Client(lane.clickhouse) as client:
        client.insert("audit", table, "whole")
        for at_ms, size, version in moments:
            wanted = Past(records[:size], digest(records[0])).placed["churn"]
            found = asked(client, at_ms, version)
            assert (found["seq"], found["actor"] or CONTROLLER) == (wanted.seq, wanted.by), (at_ms, version)
            assert (found["package"], found["record"]) == (model(version).manifest, records[wanted.seq])
            said.add((found["op"] or found["event"], wanted.by))
    assert said == {
        ("create", "ann"),
        ("promote", "ann"),
        ("moved", CONTROLLER),
        ("promote", "eve"),
        ("rollback", "oli"),
    }
    assert rows_of(lane, "SELECT count() AS n FROM audit")[0]["n"] == len(records)


def test_what_answers_through_a_halt_is_traced_to_it(lane: Settings) -> None:
    """As long as that lasts; afterwards to what makes it champion."""
    office = Office("low")
    office.created("1")
    office.registered("2")
    office.does("promote", "ann", model=model("2"))
    office.now_ms += 10_000
    office.does("halt-serving", "oli", model=model("1"))
    halted_ms = office.now_ms
    office.now_ms += 10_000
    office.does("rollback", "oli", model=model("1"))
    records = lines(office)
    table = audit_rows([line_of(one) for one in records], range(len(records)), [office.now_ms] * len(records))
    with Client(lane.clickhouse) as client:
        client.insert("audit", table, "whole")
        assert asked(client, halted_ms, "1")["op"] == "halt-serving"
        assert asked(client, office.now_ms, "1")["op"] == "rollback"
        for at_ms, wanted in ((halted_ms - 5_000, "2"), (halted_ms, "1"), (office.now_ms, "1")):
            place = {"deployment": "churn", "ts": EPOCH + timedelta(milliseconds=at_ms + 1)}
            found = trace_reads.revision(client, {**place, "arrived": place["ts"]})
            assert found is not None
            assert found["answering"] == wanted
