"""States that are not believed at first: looked at again for a while, told of when their time is over, whoever came."""

from __future__ import annotations

import pytest
from doubted import UNSIGNED, Judge, Topic

from driftline.agents.serving.doubts import DOUBT_S


@pytest.fixture
def judge() -> Judge:
    """A judge who believes nothing yet."""
    return Judge()


@pytest.fixture
def topic(judge: Judge) -> Topic:
    """A topic without a state."""
    return Topic(judge)


def test_what_is_believed_later_is_not_told(judge: Judge, topic: Topic) -> None:
    """The record of the audit that it rests on may come after it."""
    topic.come(b"1")
    topic.look(0.0)
    judge.good.add(b"1")
    topic.look(DOUBT_S / 2, DOUBT_S * 2)
    assert (judge.believed, judge.told) == ([b"1"], [])


@pytest.mark.parametrize(("state", "why"), [(b"1", "1 is wrong"), (b"forged", UNSIGNED)])
def test_what_is_never_believed_is_told_once(judge: Judge, topic: Topic, state: bytes, why: str) -> None:
    """Not before its time is over, and not again, also when it is read again."""
    topic.come(state)
    topic.look(0.0, DOUBT_S - 0.1)
    assert judge.told == []
    topic.look(DOUBT_S, DOUBT_S + 1)
    assert judge.told == [why]
    topic.again(20.0)
    topic.look(20.0 + DOUBT_S)
    assert judge.told == [why]


def test_a_state_whose_controller_is_trusted_a_moment_later_is_believed(judge: Judge, topic: Topic) -> None:
    """Nothing was kept of it, so that it is read again; it was not told of as refused."""
    topic.come(b"forged no more")
    topic.look(0.0)
    judge.good.add(b"forged no more")
    judge.signed.add(b"forged no more")
    topic.look(1.0)
    assert judge.believed == []
    topic.again(2.0)
    topic.look(DOUBT_S, DOUBT_S * 2)
    assert (judge.believed, judge.told) == ([b"forged no more"], [])


def test_a_state_that_is_signed_at_last_is_looked_at_again_too(judge: Judge, topic: Topic) -> None:
    """The record of the audit that says who controls may come before the others that it rests on."""
    topic.come(b"forged no more")
    topic.look(0.0)
    judge.signed.add(b"forged no more")
    topic.again(1.0)
    judge.good.add(b"forged no more")
    topic.look(2.0, DOUBT_S * 2)
    assert (judge.believed, judge.told) == ([b"forged no more"], [])


def test_one_that_is_overtaken_while_states_are_read_again_is_not_told(judge: Judge, topic: Topic) -> None:
    """Its controller is trusted by then."""
    topic.come(b"forged 1")
    topic.look(0.0)
    judge.good |= {b"forged 1", b"2"}
    judge.signed.add(b"forged 1")
    topic.records.append(("churn", b"2"))
    topic.again(1.0)
    topic.look(DOUBT_S * 2)
    assert (judge.believed, judge.told) == ([b"2"], [])


def test_one_that_was_overtaken_before_its_controller_was_trusted_is_not_told(
    judge: Judge, topic: Topic
) -> None:
    """Held against what was believed when it came, it would have been believed."""
    topic.come(b"forged 1")
    topic.look(0.0)
    topic.come(b"forged 2")
    topic.look(0.5)
    topic.come(b"forged 3", b"forged 4")
    topic.look(1.0)
    for one in (b"forged 1", b"forged 2", b"forged 3", b"forged 4"):
        judge.good.add(one)
        judge.signed.add(one)
    topic.again(2.0)
    topic.look(DOUBT_S * 2)
    assert (judge.believed, judge.told) == ([b"forged 4"], [])


def test_a_forged_state_that_is_written_over_is_told_all_the_same(judge: Judge, topic: Topic) -> None:
    """The controller says again within seconds what is so: that is believed, and the forgery is not forgotten."""
    judge.good.add(b"2")
    topic.come(b"forged")
    topic.look(0.0)
    topic.come(b"2")
    topic.look(1.0)
    assert (judge.believed, judge.told) == ([b"2"], [])
    topic.look(DOUBT_S)
    assert judge.told == [UNSIGNED]


def test_of_states_that_are_read_at_first_or_again_the_last_is_looked_at(judge: Judge, topic: Topic) -> None:
    """All that ever came is read then: the others are neither believed nor told."""
    judge.good |= {b"1", b"2"}
    topic.come(b"1", b"forged", b"3", b"2")
    topic.look(0.0, DOUBT_S, DOUBT_S * 2)
    topic.again(30.0)
    topic.look(30.0 + DOUBT_S)
    assert (judge.believed, judge.told) == ([b"2"], [])


def test_a_forged_state_that_is_read_with_what_wrote_over_it_is_told_all_the_same(
    judge: Judge, topic: Topic
) -> None:
    """Once all that lay there at first was read: whoever writes it back at once hides no forgery."""
    judge.good |= {b"1", b"2"}
    topic.come(b"1")
    topic.look(0.0)
    topic.come(b"2", b"forged", b"3", b"2")
    topic.look(1.0)
    assert (judge.believed, judge.told) == ([b"1", b"2"], [])
    topic.look(1.0 + DOUBT_S)
    assert judge.told == [UNSIGNED, "3 is wrong"]
    topic.doubts.clear()
    topic.come(b"forged", b"2")
    topic.look(20.0, 20.0 + DOUBT_S)
    assert len(judge.told) == 2


def test_a_true_state_that_was_overtaken_is_not_told(judge: Judge, topic: Topic) -> None:
    """Pushed out before its record of the audit came: by its time it would have been believed."""
    topic.come(b"1")
    topic.look(0.0)
    judge.good |= {b"1", b"2"}
    topic.come(b"2")
    topic.look(1.0, DOUBT_S)
    assert (judge.believed, judge.told) == ([b"2"], [])


def test_states_of_other_deployments_are_looked_at_once_the_key_is_for_them(
    judge: Judge, topic: Topic
) -> None:
    """They are no forgeries, and nothing is kept of them: they are read again when trust changes."""
    judge.good.add(b"1")
    topic.come(b"1", deployment="fraud")
    topic.come(b"wrong", deployment="spam")
    topic.look(0.0, DOUBT_S * 2)
    assert (judge.believed, judge.told) == ([], [])
    judge.served |= {"fraud", "spam"}
    topic.again(30.0)
    topic.look(30.0 + DOUBT_S)
    assert (judge.believed, judge.told) == ([b"1"], ["wrong is wrong"])


def test_it_is_unsure_while_a_signed_state_that_lay_there_at_first_is_in_doubt(
    judge: Judge, topic: Topic
) -> None:
    """As long as a doubt lasts; not for what nobody signed, nor for what comes later."""
    topic.come(b"1")
    topic.come(b"forged", deployment="fraud")
    judge.served.add("fraud")
    topic.look(0.0)
    assert topic.doubts.is_unsure
    topic.look(DOUBT_S)
    assert not topic.doubts.is_unsure
    topic.come(b"2")
    topic.look(20.0)
    assert not topic.doubts.is_unsure
    topic.doubts.clear()
    topic.come(b"forged", deployment="fraud")
    topic.look(40.0)
    assert not topic.doubts.is_unsure


def test_what_nobody_signed_takes_the_place_of_nothing() -> None:
    """Whoever may write the topic writes behind each true state, in the same breath or while it is doubted yet."""
    judge = Judge()
    topic = Topic(judge)
    topic.look(0.0)
    judge.good.add(b"one")
    topic.come(b"one", b"forged-1")
    topic.look(1.0)
    assert judge.believed == [b"one"]
    topic.come(b"two")
    topic.look(2.0)
    topic.come(b"forged-2")
    topic.look(3.0)
    judge.good.add(b"two")
    topic.look(4.0)
    assert judge.believed == [b"one", b"two"]
    topic.look(20.0)
    assert judge.told == [UNSIGNED, UNSIGNED]
