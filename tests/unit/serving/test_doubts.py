"""States that are not believed at first: looked at again for a while, told of when their time is over, whoever came."""

from __future__ import annotations

import pytest

from driftline.agents.control.verify_state import Believed, StateError
from driftline.agents.serving.doubts import DOUBT_S, MOST, Doubts


class Judge:
    """Believes what is in `good`, when its number is above the last believed one."""

    def __init__(self) -> None:
        self.good: set[bytes] = set()
        self.served = {"churn"}
        self.believed: list[bytes] = []
        self.told: list[tuple[bytes, str]] = []

    def state(self, deployment: str, data: bytes) -> None:
        """Take a state."""
        del deployment
        if data not in self.good:
            raise StateError("nobody signed it")
        if data not in self.believed:
            self.believed.append(data)

    def refused(self, deployment: str, data: bytes, why: str) -> None:
        """Be told."""
        del deployment
        self.told.append((data, why))

    def wants(self, deployment: str) -> bool:
        """Whether it is served."""
        return deployment in self.served

    def standing(self, deployment: str) -> Believed | None:
        """Nothing is kept of it."""
        del deployment
        return None

    def fault(self, deployment: str, data: bytes, before: Believed | None) -> str | None:
        """Why it would not be believed."""
        del deployment, before
        return None if data in self.good else "nobody signed it"


@pytest.fixture
def judge() -> Judge:
    """A judge who believes nothing yet."""
    return Judge()


def test_what_is_believed_later_is_not_told(judge: Judge) -> None:
    """The record of the audit that it rests on may come after it."""
    doubts = Doubts(judge)
    doubts.take("churn", b"1")
    doubts.look(0.0)
    judge.good.add(b"1")
    doubts.look(DOUBT_S / 2)
    doubts.look(DOUBT_S * 2)
    assert (judge.believed, judge.told) == ([b"1"], [])


def test_what_is_never_believed_is_told_once(judge: Judge) -> None:
    """Not before its time is over, and not again."""
    doubts = Doubts(judge)
    doubts.take("churn", b"1")
    for second in (0.0, DOUBT_S - 0.1):
        doubts.look(second)
        assert judge.told == []
    for second in (DOUBT_S, DOUBT_S + 1):
        doubts.look(second)
        assert judge.told == [(b"1", "nobody signed it")]


def test_a_forged_state_that_is_written_over_is_told_all_the_same(judge: Judge) -> None:
    """The controller says again within seconds what is so: that is believed, and the forgery is not forgotten."""
    doubts = Doubts(judge)
    judge.good.add(b"2")
    doubts.take("churn", b"forged")
    doubts.look(0.0)
    doubts.take("churn", b"2")
    doubts.look(1.0)
    assert (judge.believed, judge.told) == ([b"2"], [])
    doubts.look(DOUBT_S)
    assert judge.told == [(b"forged", "nobody signed it")]


def test_of_states_that_are_read_at_first_the_last_is_looked_at(judge: Judge) -> None:
    """At a start all that ever came is read: the others are neither believed nor told."""
    doubts = Doubts(judge)
    judge.good |= {b"1", b"2"}
    for state in (b"1", b"forged", b"2"):
        doubts.take("churn", state)
    for second in (0.0, DOUBT_S, DOUBT_S * 2):
        doubts.look(second)
    assert (judge.believed, judge.told) == ([b"2"], [])


def test_a_forged_state_that_is_read_with_what_wrote_over_it_is_told_all_the_same(judge: Judge) -> None:
    """Once all that lay there at first was read: whoever writes it back at once hides no forgery."""
    doubts = Doubts(judge)
    judge.good |= {b"1", b"2"}
    doubts.take("churn", b"1")
    doubts.look(0.0)
    for state in (b"2", b"forged", b"2"):
        doubts.take("churn", state)
    doubts.look(1.0)
    assert (judge.believed, judge.told) == ([b"1", b"2"], [])
    doubts.look(1.0 + DOUBT_S)
    assert judge.told == [(b"forged", "nobody signed it")]
    doubts.clear()
    for state in (b"forged", b"2"):
        doubts.take("churn", state)
    doubts.look(20.0)
    doubts.look(20.0 + DOUBT_S)
    assert len(judge.told) == 1


def test_a_true_state_that_was_overtaken_is_not_told(judge: Judge) -> None:
    """Pushed out before its record of the audit came: by its time it would have been believed."""
    doubts = Doubts(judge)
    doubts.take("churn", b"1")
    doubts.look(0.0)
    judge.good |= {b"1", b"2"}
    doubts.take("churn", b"2")
    doubts.look(1.0)
    doubts.look(DOUBT_S)
    assert (judge.believed, judge.told) == ([b"2"], [])


def test_states_of_other_deployments_wait_for_the_key_to_be_for_them(judge: Judge) -> None:
    """They are no forgeries, and are looked at once trust says that this agent serves them."""
    doubts = Doubts(judge)
    judge.good.add(b"1")
    doubts.take("fraud", b"1")
    doubts.look(0.0)
    doubts.look(DOUBT_S * 2)
    assert (judge.believed, judge.told) == ([], [])
    judge.served.add("fraud")
    doubts.look(DOUBT_S * 3)
    assert judge.believed == [b"1"]


def test_a_flood_is_bounded(judge: Judge) -> None:
    """Of forgeries that push one another out the last are told."""
    doubts = Doubts(judge)
    for number in range(MOST * 2):
        doubts.take("churn", b"%d" % number)
        doubts.look(0.0)
    doubts.look(DOUBT_S)
    assert len(judge.told) == MOST + 1
