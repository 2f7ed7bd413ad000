"""A challenger of a deployment of which nothing comes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import TopicPartition

from driftline.agents.challenger.worker import Challenger
from driftline.deploy.cli import main
from driftline.schemas.settings import Kafka
from driftline.schemas.topics import PREDICTIONS


@pytest.mark.parametrize(("key", "said"), [(b"other", 1), (b"chrun", 0)])
def test_that_nothing_comes_is_said_once(caplog: pytest.LogCaptureFixture, key: bytes, said: int) -> None:
    """By the member that has the deployment's partition, and not once an event came."""
    manifest: Any = SimpleNamespace(name="churn", version="2")
    kafka = Kafka(bootstrap="127.0.0.1:1", partitions=1)
    challenger = Challenger(kafka, "chrun", manifest, manifest)
    challenger._warn_of_silence()
    assert caplog.messages == []
    consumer: Any = SimpleNamespace(assign=lambda _: None)
    challenger._assigned(consumer, [TopicPartition(PREDICTIONS, 0)])
    message: Any = SimpleNamespace(key=lambda: key, value=lambda: b"")
    challenger._take(message)
    for _ in range(2):
        challenger._warn_of_silence()
    assert sum("no event of 'chrun' has come yet" in one for one in caplog.messages) == said


def test_what_names_no_deployment_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Any) -> None:
    """It is typed wrongly: nothing of it could ever come."""
    line = ["worker", "challenger", "--model", str(tmp_path), "--deployment", "bad/name", "--by", "ab" * 32]
    assert main(line) == 2
    assert "'bad/name' names no deployment: it has a \"/\"" in capsys.readouterr().err
