"""What others wrote into `deployment-state`: it is written over, all of it, and not too often."""

from __future__ import annotations

from typing import cast

import pytest

from driftline.agents.audit.topic import Reader
from driftline.agents.control.controller.published import RESTATE_MS, Published
from driftline.agents.control.controller.turn import Turn
from driftline.schemas.deployment_state import defaults

KNOWN = {"churn", "fraud"}


def record(name: str, serving: bytes) -> bytes:
    """Return a record of the topic."""
    return defaults(name).to_bytes(serving=serving)


def test_a_second_record_of_somebody_else_is_written_over_when_its_time_comes() -> None:
    """Two within a minute: the second one waits, and is not forgotten; nor when the clock is set back."""
    published = Published(cast("Reader", None))
    first, second, third = (record("churn", word) for word in (b"1", b"2", b"3"))
    published.hear([first], KNOWN)
    assert published.late(1_000) == {"churn": first}
    published.hear([second], KNOWN)
    assert published.late(2_000) == {}
    assert published.late(1_000 + RESTATE_MS) == {}
    assert published.late(1_001 + RESTATE_MS) == {"churn": second}
    assert published.late(9 * RESTATE_MS) == {}
    published.hear([third], KNOWN)
    assert published.late(-RESTATE_MS) == {"churn": third}


def test_what_is_written_over_already_or_of_no_deployment_is_not_written_again() -> None:
    """A record of the controller's own lies behind it by now; names that somebody made up are not kept."""
    published, mine = Published(cast("Reader", None)), record("churn", b"mine")
    published.hear([record("churn", b"1"), record("nobody", b"1")], KNOWN)
    published.mine(Turn(states=[("churn", mine)]))
    assert published.late(1_000) == {}
    published.hear([mine, record("fraud", b"1"), record("fraud", b"2")], KNOWN)
    assert published.late(2_000) == {"fraud": record("fraud", b"2")}


def test_rubbish_costs_a_line_a_look(caplog: pytest.LogCaptureFixture) -> None:
    """Of many records that cannot be read the log says how many, and why the first; the others are taken.

    Among them are tombstones, which may be of any deployment: each is written again, once in a while.
    """
    published = Published(cast("Reader", None))
    published.hear([b"rubbish", record("churn", b"1"), *[b""] * 400], KNOWN)
    assert published.late(1_000) == {"churn": record("churn", b"1"), "fraud": b""}
    (said,) = caplog.messages
    assert said.startswith("401 records of deployment-state are left out, the first: ")


def test_an_old_record_of_the_controllers_own_is_somebody_elses_when_it_comes_again() -> None:
    """What was written is known once, in the order in which it was; what lies behind it then is written over."""
    published = Published(cast("Reader", None))
    old, new = record("churn", b"old"), record("churn", b"new")
    published.mine(Turn(states=[("churn", old), ("fraud", record("fraud", b"1"))]))
    published.mine(Turn(states=[("churn", new)]))
    published.hear([old, new, record("fraud", b"1")], KNOWN)
    assert published.late(1_000) == {}
    published.hear([old], KNOWN)
    assert published.late(2_000) == {"churn": old}
    published.mine(Turn(states=[("churn", new)]))
    published.hear([old, new], KNOWN)
    assert published.late(9 * RESTATE_MS) == {}
    published.mine(Turn(states=[("churn", old)]))
    published.mine(Turn(states=[("churn", new)]))
    published.hear([new], KNOWN)
    assert published.late(9 * RESTATE_MS) == {}
    published.hear([old], KNOWN)
    assert published.late(9 * RESTATE_MS) == {"churn": old}
