"""What others wrote into `deployment-state`: it is written over, all of it, and not too often."""

from __future__ import annotations

from typing import cast

import pytest

from driftline.agents.audit.topic import Reader
from driftline.agents.control.controller.published import RESTATE_MS, Published
from driftline.agents.control.controller.turn import Turn
from driftline.schemas.deployment_state import defaults

KNOWN = {"churn", "fraud"}


def under(*values: tuple[str, bytes]) -> list[tuple[bytes, bytes]]:
    """Return values as they lie in the topic, each under a key."""
    return [(name.encode(), value) for name, value in values]


def record(name: str, serving: bytes) -> bytes:
    """Return a record of the topic."""
    return defaults(name).to_bytes(serving=serving)


def test_a_second_record_of_somebody_else_is_written_over_when_its_time_comes() -> None:
    """Two within a minute: the second one waits, and is not forgotten; nor when the clock is set back."""
    published = Published(cast("Reader", None))
    first, second, third = (record("churn", word) for word in (b"1", b"2", b"3"))
    published.hear(under(("churn", first)), KNOWN)
    assert published.late(1_000) == {"churn": first}
    published.hear(under(("churn", second)), KNOWN)
    assert published.late(2_000) == {}
    assert published.late(1_000 + RESTATE_MS) == {}
    assert published.late(1_001 + RESTATE_MS) == {"churn": second}
    assert published.late(9 * RESTATE_MS) == {}
    published.hear(under(("churn", third)), KNOWN)
    assert published.late(-RESTATE_MS) == {"churn": third}


def test_what_is_written_over_already_or_of_no_deployment_is_not_written_again() -> None:
    """A record of the controller's own lies behind it by now; names that somebody made up are not kept."""
    published, mine = Published(cast("Reader", None)), record("churn", b"mine")
    published.hear(under(("churn", record("churn", b"1")), ("nobody", record("nobody", b"1"))), KNOWN)
    published.mine(Turn(states=[("churn", mine)]))
    assert published.late(1_000) == {}
    theirs = [("fraud", record("fraud", word)) for word in (b"1", b"2")]
    published.hear(under(("churn", mine), *theirs), KNOWN)
    assert published.late(2_000) == {"fraud": record("fraud", b"2")}


def test_rubbish_costs_a_line_a_look(caplog: pytest.LogCaptureFixture) -> None:
    """Of many records that cannot be read the log says how many, and why the first; the others are taken."""
    published = Published(cast("Reader", None))
    rubbish = [("nobody", b"rubbish")] * 400
    published.hear(under(*rubbish, ("churn", record("churn", b"1"))), KNOWN)
    assert published.late(1_000) == {"churn": record("churn", b"1")}
    (said,) = caplog.messages
    assert said.startswith("400 records of deployment-state are left out, the first: ")


@pytest.mark.parametrize("value", [b"", b"x", record("fraud", b"1")])
def test_whatever_lies_under_the_key_of_a_deployment_is_written_over(value: bytes) -> None:
    """A tombstone, rubbish, the record of another one: compaction would leave nothing else."""
    published = Published(cast("Reader", None))
    published.hear(under(("churn", value)), KNOWN)
    assert published.late(1_000) == {"churn": value}
    before = under(("churn", record("churn", b"1")), ("churn", value))
    assert Published(cast("Reader", None)).take(before)[0] == {"churn": value}


def test_an_old_record_of_the_controllers_own_is_somebody_elses_when_it_comes_again() -> None:
    """What was written is known once, in the order in which it was; what lies behind it then is written over."""
    published = Published(cast("Reader", None))
    old, new = record("churn", b"old"), record("churn", b"new")
    published.mine(Turn(states=[("churn", old), ("fraud", record("fraud", b"1"))]))
    published.mine(Turn(states=[("churn", new)]))
    published.hear(under(("churn", old), ("churn", new), ("fraud", record("fraud", b"1"))), KNOWN)
    assert published.late(1_000) == {}
    published.hear(under(("churn", old)), KNOWN)
    assert published.late(2_000) == {"churn": old}
    published.mine(Turn(states=[("churn", new)]))
    published.hear(under(("churn", old), ("churn", new)), KNOWN)
    assert published.late(9 * RESTATE_MS) == {}
    published.mine(Turn(states=[("churn", old)]))
    published.mine(Turn(states=[("churn", new)]))
    published.hear(under(("churn", new)), KNOWN)
    assert published.late(9 * RESTATE_MS) == {}
    published.hear(under(("churn", old)), KNOWN)
    assert published.late(9 * RESTATE_MS) == {"churn": old}
