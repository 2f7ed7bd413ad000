"""Floods of states that nobody believes: bounded in memory, lines and acks, and they hide nothing."""

from __future__ import annotations

import tracemalloc
from typing import cast

import pytest
from doubted import UNSIGNED, Judge, Topic

from driftline.agents.control.verify_state import Believed
from driftline.agents.serving import doubts
from driftline.agents.serving.doubts import DOUBT_S, MOST_SIGNED, MOST_UNSIGNED
from driftline.agents.serving.ratelimit import MINUTE_S
from driftline.schemas.refusal import Refused


class All(Judge):
    """Serves every deployment."""

    def wants(self, deployment: str) -> bool:
        """Yes."""
        return bool(deployment)


@pytest.fixture
def judge() -> All:
    """A judge of all deployments, who believes nothing yet."""
    return All()


@pytest.fixture
def topic(judge: All) -> Topic:
    """A topic without a state."""
    return Topic(judge)


def flood(topic: Topic, count: int, *, kind: bytes = b"forged", bytes_each: int = 20_000) -> int:
    """Let states come, each under a key of its own; return how much memory they take afterwards."""
    tracemalloc.start()
    try:
        for number in range(count):
            data = kind.ljust(bytes_each) + b"%d" % number
            topic.records.append((f"new-{number}", b""))
            topic.doubts.take(f"new-{number}", data, len(topic.records) - 1, 0.0)
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("is_first", [True, False])
def test_nothing_is_kept_of_what_no_controller_signed(
    judge: All, topic: Topic, caplog: pytest.LogCaptureFixture, *, is_first: bool
) -> None:
    """Of 2,000 states of 20 KB two per cent; the first hundred are told of by themselves, the others as a number."""
    if not is_first:
        topic.look(0.0)
    assert flood(topic, 2_000) < 800_000
    topic.look(1.0, 1.0 + DOUBT_S)
    assert judge.told == [UNSIGNED] * MOST_UNSIGNED
    topic.look(1.0 + MINUTE_S, 1.0 + 2 * MINUTE_S)
    assert [one.message for one in caplog.records] == [
        f"{2_000 - MOST_UNSIGNED} more states that no controller signed are not believed"
    ]


@pytest.mark.parametrize("is_first", [True, False])
def test_what_a_controllers_key_signed_is_kept_up_to_a_number(
    judge: All, topic: Topic, caplog: pytest.LogCaptureFixture, *, is_first: bool
) -> None:
    """Whoever stole it fills no memory either, and the flood of others hides none of these."""
    if not is_first:
        topic.look(0.0)
    flood(topic, 200)
    topic.look(0.5)
    for number in range(100):
        topic.come(b"%d" % number, deployment=f"signed-{number}")
    topic.look(1.0)
    assert len([one for one in topic.doubts._held.values() if one.came.data]) == MOST_SIGNED
    topic.look(1.0 + DOUBT_S, 1.0 + MINUTE_S)
    assert len([one for one in judge.told if one != UNSIGNED]) == MOST_SIGNED
    assert "80 more states that a controller signed are not believed" in caplog.messages


def test_a_flood_hides_no_forged_state_of_what_serves(judge: All, topic: Topic) -> None:
    """States of deployments that somebody invented are counted apart from those of a deployment that is served."""
    judge.stands["churn"] = cast("Believed", object())
    topic.look(0.0)
    flood(topic, 200, bytes_each=10)
    topic.look(1.0)
    topic.come(b"forged", b"forged")
    topic.look(2.0, 2.0 + DOUBT_S)
    assert len(judge.told) == MOST_UNSIGNED + 2


def test_more_than_may_wait_for_a_look_is_looked_at_early(
    judge: All, topic: Topic, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What is good is believed then, and no state waits beside more than its bound; what fails is counted."""
    monkeypatch.setattr(doubts, "MOST_BYTES", 1_000_000)
    judge.good.add(b"good")
    topic.come(b"good")
    assert flood(topic, 500, kind=b"wrong") < 1_100_000
    assert judge.believed == [b"good"]
    topic.look(1.0, 1.0 + MINUTE_S)
    counted = sum(int(one.split()[0]) for one in caplog.messages)
    assert counted + len(topic.doubts._held) + len(judge.told) == 500


def test_a_doubt_that_is_written_over_in_a_flood_is_held_against_what_was_believed_then(
    judge: All, topic: Topic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As without a flood: its record of the audit came late, and it neither takes effect after its time nor is told."""
    topic.look(0.0)
    topic.come(b"1")
    topic.look(1.0)
    judge.good |= {b"1", b"2"}
    monkeypatch.setattr(doubts, "MOST_BYTES", 0)
    topic.come(b"2")
    topic.look(2.0, 1.0 + DOUBT_S)
    assert (judge.believed, judge.told) == ([b"2"], [])


def test_what_is_counted_alone_is_told_of_once_a_minute(
    topic: Topic, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where none is told of by itself."""
    monkeypatch.setattr(doubts, "MOST_BYTES", 0)
    topic.look(0.0)
    for second in range(1, 100):
        topic.come(b"wrong")
        topic.look(float(second))
    assert [int(one.split()[0]) for one in caplog.messages] == [1, 60]


def test_records_that_cannot_be_read_are_told_of_by_number(
    topic: Topic, caplog: pytest.LogCaptureFixture
) -> None:
    """A hundred lines a minute at most, each of bounded length, and none when they are read again."""
    error = Refused("wrong_key", "a" * 1_000_000)
    for _ in range(2):
        for offset in range(1_000):
            topic.doubts.unreadable(offset, error, 0.0)
        topic.look(1.0)
    topic.look(MINUTE_S)
    assert len(caplog.messages) == MOST_UNSIGNED + 1
    assert max(map(len, caplog.messages)) < 500
    assert caplog.messages[-1] == "900 more records of the states cannot be read"


def test_a_flood_under_one_key_is_told_of_by_number(
    judge: All, topic: Topic, caplog: pytest.LogCaptureFixture
) -> None:
    """States that write one another over are no more than others."""
    topic.look(0.0)
    topic.come(*(b"forged %d" % number for number in range(1_000)))
    topic.look(1.0, 1.0 + DOUBT_S, 1.0 + MINUTE_S)
    assert judge.told == [UNSIGNED] * MOST_UNSIGNED
    assert caplog.messages == ["900 more states that no controller signed are not believed"]
