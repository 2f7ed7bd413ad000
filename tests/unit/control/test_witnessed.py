"""How far witnesses are, as the controller tells people."""

from __future__ import annotations

from unittest.mock import Mock

import pytest
from audit_logs import NOON_MS, POLICY, WITNESS
from signed import key, trust

from driftline.agents.audit.checkpoint import Checkpoint, cosigned
from driftline.agents.audit.errors import AuditError
from driftline.agents.control.controller import witnessed
from driftline.agents.control.controller.witnessed import Witnessed
from driftline.agents.control.trust import first_state
from driftline.schemas.settings import Kafka

NOON_S = NOON_MS // 1_000
STATE = first_state(trust(), POLICY)


def note(size: int, at_s: int | None = None, log: str = "checkpoint") -> bytes:
    """A checkpoint of the log, with the witness's signature where it signed."""
    made = Checkpoint(STATE.trust.origin, size, bytes(32)).signed(STATE.trust.origin, key(log))
    return (made if at_s is None else cosigned(made, WITNESS, key("witness"), at_s)).to_bytes()


def test_the_greatest_checkpoint_that_a_witness_signed_counts() -> None:
    """In whatever order notes come; those that the log alone signed say nothing of a witness."""
    found = Witnessed()
    found.take([note(5, NOON_S), note(9, NOON_S + 60), note(7, NOON_S + 90), note(12)], STATE)
    assert found.signed == {WITNESS: (9, NOON_S + 60)}


def test_a_witness_that_never_signed_is_told_of() -> None:
    """It is in the trust, so that it can be missed; rubbish and what another log signed count for nothing."""
    found = Witnessed()
    found.take([b"rubbish", note(9, NOON_S, log="witness")], STATE)
    assert found.signed == {WITNESS: (0, 0)}


def test_a_topic_of_checkpoints_that_is_not_there_is_asked_for_once_a_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Opening it waits for brokers, and the controller decides nothing meanwhile; once it is there it is looked at."""
    opened = Mock(side_effect=AuditError("there is no topic"))
    monkeypatch.setattr(witnessed, "Reader", opened)
    watch = witnessed.WitnessWatch(Kafka())
    assert not any(watch.look(STATE, float(second)) for second in range(3_600))
    assert opened.call_count == 60
    opened.side_effect, opened.return_value = None, Mock(**{"read.return_value": [note(9, NOON_S)]})
    looks = [watch.look(STATE, 3_600.0 + second) for second in range(60)]
    assert (sum(looks), opened.call_count) == (12, 61)
    assert watch.found.signed == {WITNESS: (9, NOON_S)}
