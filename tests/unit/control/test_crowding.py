"""Crowding: whoever sends without end fills no memory and no audit, and keeps nobody else from being heard."""

from __future__ import annotations

import pytest
from office import Office
from signed import NOW_MS, command, key, signed

from driftline.agents.control.decisions import Decision
from driftline.agents.control.flood import A_MINUTE
from driftline.agents.control.replays import KEPT_MS, MAX_OF_ONE, Seen


def code(decision: Decision) -> str:
    """Return the code of a refusal."""
    assert decision.refusal is not None, decision
    return decision.refusal.code


def test_one_signer_fills_no_memory() -> None:
    """Beyond its bound a signer is refused in words, while another one is not."""
    seen = Seen()
    for _ in range(MAX_OF_ONE + 10):
        seen.take(command("halt-serving"), "oli")
    assert (len(seen), seen.has_room("oli", NOW_MS), seen.has_room("ann", NOW_MS)) == (
        MAX_OF_ONE,
        False,
        True,
    )
    office = Office()
    office.created()
    for _ in range(MAX_OF_ONE):
        office.desk.seen.take(command("halt-serving"), "oli")
    assert code(office.ask("halt-serving", "oli")) == "replayed"
    assert office.ask("halt-serving", "ann").event == "decided"


def test_who_sent_too_many_fills_no_audit() -> None:
    """Beyond its bound a signer's commands, and copies of them, are a flood; an hour later it is heard again."""
    office = Office()
    office.created()
    for _ in range(MAX_OF_ONE):
        office.desk.seen.take(office.build("halt-serving"), "oli")
    made = [office.send(signed(office.build("halt-serving"), "oli").to_bytes()) for _ in range(A_MINUTE + 50)]
    assert sum(map(len, made)) == A_MINUTE
    (told,) = office.desk.flush(office.now_ms)
    assert told.flooded is not None
    assert told.flooded.count == 50
    office.now_ms += KEPT_MS + 601_000
    assert office.ask("halt-serving", "oli").event == "decided"


@pytest.mark.parametrize("who", ["root-1", "bot"])
def test_what_too_few_roots_sign_uses_up_nothing_of_theirs(who: str) -> None:
    """Thousands of policies that one root key or a person signed keep no key from being revoked by enough roots."""
    office = Office()
    for _ in range(MAX_OF_ONE + 10):
        asked = command("policy-set", "", at_ms=office.now_ms, policy="permit(", expected_revision=1)
        for told in office.send(signed(asked, who).to_bytes()):
            assert code(told) == "approvals_missing"
    revoke = command("key-revoke", "", at_ms=office.now_ms, key=key("bot").keyid, expected_revision=1)
    assert office.send(signed(revoke, "root-1", "root-2").to_bytes())[-1].event == "decided"


def test_a_root_command_that_lacked_a_signature_may_be_sent_again_with_it() -> None:
    """It was refused, and is not seen: the same command counts once enough roots have signed it."""
    office = Office()
    asked = command("key-revoke", "", at_ms=office.now_ms, key=key("bot").keyid, expected_revision=1)
    assert code(office.send(signed(asked, "root-1").to_bytes())[0]) == "approvals_missing"
    assert office.send(signed(asked, "root-1", "root-2").to_bytes())[-1].event == "decided"
    assert code(office.send(signed(asked, "root-1", "root-2").to_bytes())[0]) == "replayed"
