"""A name or password that Kafka refuses is told as one for as long as it is: not of what was let in since."""

from __future__ import annotations

from typing import Any
from unittest.mock import Mock

import pytest
from confluent_kafka import KafkaError, KafkaException

from driftline.agents.audit import topic
from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.topic import Reader
from driftline.schemas.settings import Kafka
from driftline.schemas.sources import Secret

REFUSED = KafkaError(KafkaError._AUTHENTICATION, "SASL authentication failed")
KNOWN = Kafka(security_protocol="SASL_SSL", sasl_username="sre", sasl_password=Secret("wrong"))


def message(error: KafkaError | None = None) -> Any:
    """Return a message, or an error in place of one."""
    return Mock(**{"error.return_value": error, "key.return_value": b"", "value.return_value": b"record"})


def said(monkeypatch: pytest.MonkeyPatch, kafka: Kafka, *came: Any) -> str:
    """What a reader says at the end that was refused, and then had these messages before Kafka went away."""
    consumer = Mock(**{"list_topics.return_value.topics": {"audit": Mock(error=None)}})
    monkeypatch.setattr(topic, "Consumer", Mock(return_value=consumer))
    reader = Reader(kafka)
    reader._hear(REFUSED)
    for one in came:
        consumer.consume.side_effect = [[one], []]
        reader.pairs(0)
    consumer.consume.side_effect = KafkaException(KafkaError(KafkaError._TIMED_OUT))
    with pytest.raises(AuditError) as told:
        reader.pairs(0)
    return str(told.value)


def test_a_refused_name_is_told_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do about it."""
    assert "lets user 'sre' not in (SASL authentication failed)" in said(monkeypatch, KNOWN)


@pytest.mark.parametrize("since", [message(), message(KafkaError(KafkaError._PARTITION_EOF))])
def test_what_was_let_in_since_is_not_told_as_refused(monkeypatch: pytest.MonkeyPatch, since: Any) -> None:
    """A record or the end was read with the same name: Kafka is away for another reason."""
    assert "cannot be read" in said(monkeypatch, KNOWN, since)


def test_who_gave_no_name_is_not_told_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate may be refused under the same code."""
    assert "cannot be read" in said(monkeypatch, Kafka())
