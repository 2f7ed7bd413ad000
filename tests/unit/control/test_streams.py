"""Topics of the watching side as the controller reads them: that they cannot be read holds up no decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import Mock

import pytest
from confluent_kafka import OFFSET_END, KafkaError, KafkaException, TopicPartition

from driftline.agents.control.controller import streams
from driftline.agents.control.controller.streams import AGAIN_S, WINDOWS_BACK_MS, Stream, WindowFeed
from driftline.agents.control.controller.tenure import Tenure
from driftline.schemas.settings import Kafka

OFFLINE = KafkaException(KafkaError(KafkaError._TIMED_OUT))


def message(value: bytes = b"", error: KafkaError | None = None) -> Any:
    """Return a message, or an error in place of one."""
    return Mock(**{"error.return_value": error, "key.return_value": b"key", "value.return_value": value})


def refused(consumer: Any) -> None:
    """Let whoever reads have no right to the topic."""
    no = KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)
    consumer.list_topics.return_value.topics["alerts"].error = no


def leaderless(consumer: Any) -> None:
    """Let a partition have no leader."""
    consumer.offsets_for_times.side_effect = OFFLINE


def away(consumer: Any) -> None:
    """Let no broker answer."""
    consumer.list_topics.side_effect = OFFLINE


@pytest.mark.parametrize("wrong", [refused, leaderless, away])
def test_a_topic_that_cannot_be_opened_is_tried_again_later(
    wrong: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each attempt may take seconds, in which nothing is decided: one a minute, told each time; nothing is raised."""
    topic = Mock(error=None, partitions={0: None, 1: None})
    consumer = Mock(**{"list_topics.return_value.topics": {"alerts": topic}})
    consumer.offsets_for_times.side_effect = found = lambda wanted, timeout: wanted  # noqa: ARG005 - as it is called
    consumer.consume.return_value = [message(b"one")]
    made = Mock(return_value=consumer)
    monkeypatch.setattr(streams, "Consumer", made)
    now_s = [0.0]
    stream = Stream(Kafka(), "alerts", 0, lambda: now_s[0])
    wrong(consumer)
    for now_s[0] in (0.0, 1.0, AGAIN_S - 1, AGAIN_S):
        stream.open()
        assert list(stream.take()) == []
    assert (made.call_count, consumer.close.call_count) == (2, 2)
    assert caplog.text.count("topic alerts cannot be read, and what rests on it waits") == 2
    topic.error = consumer.list_topics.side_effect = None
    consumer.offsets_for_times.side_effect = found
    now_s[0] = 3 * AGAIN_S
    assert list(stream.take()) == []
    stream.open()
    assert list(stream.take()) == [(b"key", b"one")]
    assert len(consumer.assign.call_args.args[0]) == 2


def test_an_error_between_records_is_told_and_the_others_are_read(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A right that is taken away later is said once a minute; what passes by itself is not."""
    topic = Mock(error=None, partitions={0: None})
    consumer = Mock(**{"list_topics.return_value.topics": {"alerts": topic}})
    gone, passing = (
        KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED),
        Mock(fatal=bool, retriable=lambda: True),
    )
    consumer.offsets_for_times.return_value = []
    consumer.consume.return_value = [
        message(error=gone),
        message(b"one"),
        message(error=gone),
        message(error=passing),
    ]
    monkeypatch.setattr(streams, "Consumer", Mock(return_value=consumer))
    stream = Stream(Kafka(), "alerts", 0, lambda: 0.0)
    stream.open()
    assert list(stream.take()) == [(b"key", b"one")]
    assert caplog.text.count("cannot be read") == 1


def test_where_nothing_is_so_new_it_is_read_from_where_the_end_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end as it is when the client first asks would leave out what came in between."""
    topic = Mock(error=None, partitions={0: None, 1: None})
    consumer = Mock(**{"list_topics.return_value.topics": {"alerts": topic}})
    consumer.offsets_for_times.return_value = [
        TopicPartition("alerts", 0, 7),
        TopicPartition("alerts", 1, OFFSET_END),
    ]
    consumer.get_watermark_offsets.return_value = (3, 9)
    monkeypatch.setattr(streams, "Consumer", Mock(return_value=consumer))
    Stream(Kafka(), "alerts", 0, lambda: 0.0).open()
    assert [one.offset for one in consumer.assign.call_args.args[0]] == [7, 9]


def test_a_partition_that_gives_no_answer_is_no_empty_one(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its offset would be taken for "nothing is so new", and what lies there left out."""
    topic = Mock(error=None, partitions={0: None})
    consumer = Mock(**{"list_topics.return_value.topics": {"alerts": topic}})
    none = Mock(error=KafkaError(KafkaError.LEADER_NOT_AVAILABLE), offset=OFFSET_END)
    consumer.offsets_for_times.return_value = [none]
    consumer.get_watermark_offsets.return_value = (3, 9)
    monkeypatch.setattr(streams, "Consumer", Mock(return_value=consumer))
    stream = Stream(Kafka(), "alerts", 0, lambda: 0.0)
    stream.open()
    assert (consumer.assign.call_count, consumer.close.call_count) == (0, 1)
    assert caplog.text.count("cannot be read") == 1


def test_a_client_that_fails_while_it_is_read_ends_nothing(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is told, and no decision waits."""
    topic = Mock(error=None, partitions={0: None})
    consumer = Mock(**{"list_topics.return_value.topics": {"alerts": topic}, "consume.side_effect": OFFLINE})
    consumer.offsets_for_times.return_value = []
    monkeypatch.setattr(streams, "Consumer", Mock(return_value=consumer))
    stream = Stream(Kafka(), "alerts", 0, lambda: 0.0)
    stream.open()
    assert list(stream.take()) == []
    assert caplog.text.count("cannot be read") == 1


def test_windows_are_read_from_a_day_ago_whenever_more_is_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is followed no more ends nothing; with nothing followed the topic is left, and a book takes what comes."""
    topic, made, asked = Mock(error=None, partitions={0: None}), list[Any](), list[int]()

    def consumer(_config: object) -> Any:
        one = Mock(**{"list_topics.return_value.topics": {"windows": topic}})
        one.offsets_for_times.side_effect = lambda wanted, timeout: (  # noqa: ARG005 - as it is called
            asked.extend(place.offset for place in wanted) or []
        )
        one.consume.return_value = [message(b"window")]
        made.append(one)
        return one

    monkeypatch.setattr(streams, "Consumer", consumer)
    feed, now_ms = WindowFeed(Kafka()), 10 * WINDOWS_BACK_MS
    for number, (followed, opened, closed) in enumerate((
        ({"a"}, 1, 0), ({"a"}, 1, 0), ({"a", "b"}, 2, 1), ({"b"}, 2, 1), (set[str](), 2, 2), ({"b"}, 3, 2)
    )):  # fmt: skip
        book = Mock(followed=followed)
        feed.follow(book, now_ms + number)
        assert (len(made), sum(one.close.call_count for one in made)) == (opened, closed)
        feed.take(book)
        assert [call.args for call in book.take.mock_calls] == [(b"key", b"window")] * bool(followed)
    assert asked == [now_ms + number - WINDOWS_BACK_MS for number in (0, 2, 5)]


def test_windows_that_are_out_of_reach_are_asked_for_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """However often what is followed grows meanwhile: each attempt takes seconds in which nothing is decided."""
    made = Mock(side_effect=OFFLINE)
    monkeypatch.setattr(streams, "Consumer", made)
    feed = WindowFeed(Kafka())
    for number in range(5):
        feed.follow(Mock(followed={str(one) for one in range(number + 1)}), 0)
        feed.take(Mock())
    assert made.call_count == 1
    feed.close()


def test_what_is_there_is_heard_before_a_turn_and_what_is_not_is_opened_behind_it() -> None:
    """An alert stands beside the change that is decided next; a topic that takes seconds to open holds up none."""
    said, turn = Mock(), Mock(is_empty=False, audit=[1, 2])
    said.alerts.take.return_value = [(b"churn", b"alert")]
    said.clerk.turn.return_value = turn
    tenure: Any = object.__new__(Tenure)
    tenure._setup, tenure._passed, tenure._first = Mock(**{"now_ms.return_value": 5}), None, ["command"]
    tenure._acks, tenure._commands = Mock(), Mock()
    tenure._guarded_ms = tenure._rested_ms = 5
    tenure._alerts, tenure._shown, tenure.clerk = said.alerts, said.shown, said.clerk
    tenure.ledger, tenure._published, tenure._pen, tenure._seat = said.ledger, Mock(), said.pen, Mock()
    assert tenure.step() == 2
    done = [name for name, *_ in said.mock_calls if not name.startswith("shown.take")]
    assert done == [
        "alerts.take", "ledger.news.hear", "clerk.turn", "pen.write", "clerk.check_keys", "alerts.open", "shown.follow"
    ]  # fmt: skip
