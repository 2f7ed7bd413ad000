"""A clerk that is killed wherever one can be leaves what another one reads: its audit, and nothing beside it."""

from __future__ import annotations

from collections.abc import Callable

from clerked import Room
from controlled import INSTANCES, PROFILE, package
from hypothesis import given
from hypothesis import strategies as st

from driftline.agents.audit.record import AuditRecord, digest
from driftline.agents.audit.report import Pins
from driftline.agents.audit.verify import Verifier
from driftline.schemas.deployment_state import serving_of


def register(room: Room, choice: int) -> None:
    """Let a version be registered and validated."""
    made = package(version(choice))
    room.send("register", "ann", model=made.model, manifest=made.manifest, profile=PROFILE)
    room.send("validate", "val", model=made.model, evidence="ef" * 32)


def rubbish(room: Room, choice: int) -> None:
    """Let bytes come that nobody signed."""
    for _ in range(choice * 20):
        room.put(b"rubbish")


def again(room: Room, choice: int) -> None:
    """Let something come a second time."""
    if room.commands:
        room.put(room.commands[choice % len(room.commands)].value)


def wait(room: Room, choice: int) -> None:
    """Let time go by."""
    room.now_ms += choice * 20_000


def version(choice: int) -> str:
    """Return one of three versions."""
    return str(choice % 3 + 1)


def instance(choice: int) -> str:
    """Return one of three instances."""
    return INSTANCES[choice % 3]


DEEDS: dict[str, Callable[[Room, int], object]] = {
    "register": register,
    "create": lambda room, choice: room.send("create", "ann", model=package(version(choice)).model),
    "promote": lambda room, choice: room.send("promote", "ann", model=package(version(choice)).model),
    "rollback": lambda room, choice: room.send("rollback", "ann", model=package(version(choice)).model),
    "halt": lambda room, _: room.send("halt-serving", "oli"),
    "resume": lambda room, _: room.send("resume", "oli", target="serving"),
    "configure": lambda room, choice: room.send(
        "configure", "ann", settings={"deployment": "churn", "owner": version(choice)}
    ),
    "rubbish": rubbish,
    "again": again,
    "beat": lambda room, choice: room.beat(instance(choice)),
    "prepared": lambda room, choice: room.ack(instance(choice), "prepared"),
    "activated": lambda room, choice: room.ack(instance(choice), "activated"),
    "failed": lambda room, choice: room.ack(instance(choice), "failed", reason="no"),
    "wait": wait,
    "turn": lambda room, _: room.turn(),
    "lost": lambda room, _: room.turn(is_lost=True),
    "crash": lambda room, _: room.crash(),
}


@given(st.lists(st.tuples(st.sampled_from(sorted(DEEDS)), st.integers(0, 7)), max_size=60))
def test_whatever_happens_the_audit_is_all_there_is(deeds: list[tuple[str, int]]) -> None:
    """Every command is told once, in order; the audit verifies; a clerk that reads it knows what the other knew."""
    room = Room()
    for deed, choice in deeds:
        DEEDS[deed](room, choice)
    room.turn()
    report = Verifier(Pins(digest(room.audit[0])), room.notes, signatures=True).run(room.audit)
    assert report.fault is None, str(report.fault)
    told = [AuditRecord.from_bytes(one) for one in room.audit]
    single = [one.source.offset for one in told if one.source is not None and one.source.topic != "acks"]
    many = sum(one.unread.count for one in told if one.unread is not None and one.source is None)
    assert single == sorted(set(single))
    assert len(single) + many == len(room.commands)
    live, read = room.clerk.ledger, room.begun().ledger
    assert (read.desk.states, read.desk.seq, read.place) == (live.desk.states, live.desk.seq, live.place)
    assert read.configured.revisions == live.configured.revisions
    assert read.members.names() == live.members.names()
    assert [read.answers.round(name) for name in live.desk.states] == [
        live.answers.round(name) for name in live.desk.states
    ]
    newest = dict(room.states)
    for name in live.desk.states:
        assert newest[name] == room.begun().value(name)
        assert serving_of(name.encode(), newest[name]) is not None
