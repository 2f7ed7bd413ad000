"""A controller that waits is held against the audit before it is needed."""

from __future__ import annotations

import pytest
from clerked import KEYS
from signed import key, policy, trust

from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.record import digest
from driftline.agents.audit.writer import begin
from driftline.agents.control.controller.errors import ControllerError
from driftline.agents.control.controller.keys import Keys
from driftline.agents.control.controller.standby import check, require
from driftline.schemas.settings import Kafka

_, FIRST = begin(trust(), policy().text, 0)


def test_a_key_that_trust_does_not_name_shows_while_the_controller_waits() -> None:
    """It ends with the sentence of one that begins to decide; one whose keys are named goes on waiting."""
    require([FIRST], digest(FIRST), KEYS)
    other = Keys(key("other"), key("checkpoint"))
    with pytest.raises(ControllerError, match=f"trust names no key {other.states.keyid[:16]} for states: "):
        require([FIRST], digest(FIRST), other)


def test_another_genesis_shows_while_the_controller_waits() -> None:
    """The audit that is there is not the one that is pinned."""
    with pytest.raises(
        AuditError, match=f"record 0 has the digest {digest(FIRST)}, and {'ab' * 32} is pinned"
    ):
        require([FIRST], "ab" * 32, KEYS)


def test_an_audit_that_is_empty_or_out_of_reach_says_nothing() -> None:
    """A controller may be started before either is there."""
    require([], digest(FIRST), KEYS)
    check(Kafka(bootstrap="127.0.0.1:1"), digest(FIRST), KEYS, lambda: True)
