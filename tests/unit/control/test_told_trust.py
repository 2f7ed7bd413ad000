"""What a record tells of trust beside its envelope: nobody takes it in but as the roots signed it."""

from __future__ import annotations

import pytest
from forging import added
from memory_wire import MemoryWire
from msgspec.structs import replace
from office import Office
from office_audit import lines
from signed import command, key, signed, trust

from driftline.agents.audit.chain import Chain
from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import AuditRecord, digest
from driftline.agents.audit.report import Pins
from driftline.agents.audit.verify import Verifier
from driftline.agents.audit.writer import resumed
from driftline.agents.control.controller.ledger import Ledger
from driftline.agents.control.judge import Facts
from driftline.deploy.control.board import Board
from driftline.schemas.control.trust import TrustState


def told_otherwise(kind: str) -> list[bytes]:
    """Return an audit whose last record tells of another trust than the roots signed."""
    office = Office("low")
    office.created()
    before = office.desk.history.now.ring.state
    if kind == "moved":
        mine = replace(before, version=2, trust=replace(before.trust, persons=trust().persons[:1]))
        return added(lines(office), "moved", detail={"by": "controller", "trust": words(mine)})
    revoke = command(
        "key-revoke", "", at_ms=office.now_ms, expected_revision=before.version, key=key("ann").keyid
    )
    office.send(signed(revoke, "root-1", "root-2").to_bytes())
    *held, last = lines(office)
    record = AuditRecord.from_bytes(last)
    spared = replace(office.desk.history.now.ring.state, revocations=())
    detail = None if kind == "left out" else {**(record.detail or {}), "trust": words(spared)}
    return [*held, replace(record, detail=detail).to_bytes()]


def words(state: TrustState) -> str:
    """Return a trust state as records hold it."""
    return state.to_bytes().decode()


def board(records: list[bytes]) -> Board:
    """Return the board over an audit whose end a controller signed."""
    wire, chain = MemoryWire(Office("low")), Chain(digest(records[0]))
    for data in records:
        chain.take(data)
    wire.audit, wire.log = records, resumed(chain)
    return Board(wire, chain.genesis)


@pytest.mark.parametrize("kind", ["moved", "another text", "left out"])
def test_trust_is_what_the_roots_signed_to_everybody(kind: str) -> None:
    """Whoever verifies, controls or builds a command refuses a trust that a record brings beside what roots signed.

    One that is left out misleads no verifier: what trust is by then follows from what was signed.
    """
    records = told_otherwise(kind)
    found = Verifier(Pins(digest(records[0])), signatures=True).run(records).fault
    seen = None if found is None else (found.kind, found.seq)
    assert seen == (None if kind == "left out" else ("forged", len(records) - 1))
    why = (
        rf"record {len(records) - 1}(.*: it tells of a|.*leads to a trust \(version \d\) that is not the one)"
    )
    with pytest.raises(AuditError, match=why):
        Ledger(records, digest(records[0]), lambda _: Facts())
    with pytest.raises(AuditError, match=why):
        board(records)
    with pytest.raises(AuditError, match=why):
        board(records[:-1]).hears(records[-1:])
