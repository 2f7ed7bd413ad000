"""Decisions as records of the audit: a verifier believes them, and a desk stands again where they end."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from office import Office, broken
from office_audit import lines, rebuilt
from signed import NOW_MS, command, key, model, policy, signed, trust

from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import AuditRecord, digest
from driftline.agents.audit.report import Pins
from driftline.agents.audit.verify import Verifier
from driftline.agents.audit.writer import begin
from driftline.agents.control.flood import A_MINUTE
from driftline.agents.control.telling import begun, hear, heard


def busy() -> Office:
    """Return an office in which nearly everything has happened."""
    office = Office("high")
    office.promoted()
    office.ask("promote", "ann", model=model("9"))
    office.ask("promote", "far", model=model("1"))
    asked = office.build("halt-rollout")
    for _ in range(2):
        office.send(signed(asked, "oli").to_bytes())
    office.send(broken(signed(asked, "oli")))
    for number in range(A_MINUTE + 3):
        office.send(b"junk %d" % number)
    office.told += office.desk.flush(office.now_ms)
    office.does("rollback", "oli", model=model("1"), break_glass=True)
    office.registered("3")
    denied = office.ask("shadow", "ann", model=model("3"))
    office.approve(denied, "cat", op="deny")
    waiting = office.ask("shadow", "eve", model=model("3"))
    for expected, word in ((1, "far"), (2, "eve")):
        revoke = command(
            "key-revoke", "", at_ms=office.now_ms, expected_revision=expected, key=key(word).keyid
        )
        office.send(signed(revoke, "root-1", "root-2").to_bytes())
    office.approve(waiting, "bob")
    lapsing = office.ask("shadow", "ann", model=model("3"))
    office.now_ms = lapsing.until_ms + 1
    office.told += office.desk.lapse(office.now_ms)
    office.approve(office.told[-1], "cat")
    office.send(signed(command("policy-set", "", at_ms=office.now_ms, expected_revision=3, policy=policy().text + " "),
                       "root-1", "root-3").to_bytes())  # fmt: skip
    return office


def test_a_verifier_believes_what_is_told() -> None:
    """The audit of a busy office holds: chain, tree, every signature, everybody who is named, every change of trust."""
    data = lines(busy())
    report = Verifier(Pins(digest(data[0])), []).run(iter(data))
    assert report.fault is None
    events = {AuditRecord.from_bytes(one).event for one in data}
    assert events == {
        "genesis", "unread", "rejected", "waits", "approved", "denied", "lapsed", "failed", "effective", "moved"
    }  # fmt: skip


def test_a_desk_stands_again_where_its_audit_ends() -> None:
    """States, what waits, what is to be reviewed, trust, and which commands were seen are as they were."""
    office = busy()
    again = rebuilt((AuditRecord.from_bytes(one) for one in lines(office)), office.look)
    assert again.states == office.desk.states
    assert tuple(again.book) == tuple(office.desk.book)
    assert again.book.reviews == office.desk.book.reviews != ()
    assert again.history.now.ring.state == office.desk.history.now.ring.state
    assert again.history.now.policy.digest == office.desk.history.now.policy.digest
    assert (again.seq, len(again.seen)) == (office.desk.seq, len(office.desk.seen))


def test_what_nobody_answers_for_is_never_told_whole() -> None:
    """No record holds bytes that no known key signed, neither alone nor in a flood."""
    for data in lines(busy()):
        assert b"junk" not in data
        record = AuditRecord.from_bytes(data)
        if record.event == "unread":
            assert (record.envelope, record.unread is not None) == (None, True)


def test_other_records_are_no_decisions() -> None:
    """Acks and what else stands in an audit is passed over, and still takes its place."""
    log, first = begin(trust(), policy().text, NOW_MS)
    data = [first, log.append("ack", NOW_MS, agent="serving-1")]
    assert heard(AuditRecord.from_bytes(data[1])) is None
    assert rebuilt(map(AuditRecord.from_bytes, data), Office().look).seq == 2


def test_an_audit_that_cannot_be_read_is_one_sentence() -> None:
    """Without a genesis, or with half a decision in it, it is refused."""
    office = Office()
    office.created()
    records = [AuditRecord.from_bytes(one) for one in lines(office)]
    with pytest.raises(AuditError, match="is no genesis"):
        begun(records[1], office.look)
    log, _ = begin(trust(), policy().text, NOW_MS)
    half = AuditRecord.from_bytes(log.append("effective", NOW_MS, detail={"state": "{}"}))
    with pytest.raises(AuditError, match="no whole decision"):
        heard(half)


@pytest.mark.parametrize("event", ["approved", "waits"])
def test_a_decision_that_fits_none_before_it_is_one_sentence(event: str) -> None:
    """An approval of what never waited, or something that waits and is no command: its place is told."""
    desk = rebuilt([AuditRecord.from_bytes(one) for one in lines(Office())], Office().look)
    record = AuditRecord(seq=1, prev_hash="0" * 64, event=event, decided_at_ms=0)
    if event == "approved":
        envelope = signed(command("approve", target="ab" * 32), "bob")
        given = {"op": "approve", "command": envelope.digest, "envelope": envelope.to_bytes().decode()}
        record = replace(record, **given)
    with pytest.raises(AuditError, match=rf"audit record 1 \({event}\) is not whole"):
        hear(desk, record, desk.history.now.ring.state)


def test_a_record_names_the_command_that_it_carries() -> None:
    """With the digest of another one beside the envelope, it would be approved by who approves that other one."""
    office = Office("medium")
    office.registered("1")
    office.ask("create", "ann", model=model("1"))
    *held, last = [AuditRecord.from_bytes(one) for one in lines(office)]
    desk = rebuilt(held, office.look)
    with pytest.raises(AuditError, match="carries another command than the digest that it names"):
        hear(desk, replace(last, command="ab" * 32), desk.history.now.ring.state)
    hear(desk, last, desk.history.now.ring.state)
    assert len(list(desk.book)) == 1


def test_who_asked_is_who_the_record_names() -> None:
    """Nothing beside the name that signatures are held against says otherwise to a desk."""
    office = Office("low")
    office.created()
    record = next(one for one in map(AuditRecord.from_bytes, lines(office)) if one.op == "register")
    told = heard(replace(record, detail={**(record.detail or {}), "by": "val"}))
    assert told is not None
    assert told.by == record.actor == "ann"
