"""`driftline deployment` on a real Kafka, and the book of settings that a worker keeps of it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from driftline.deploy.cli import main
from driftline.deploy.local import deployments
from driftline.deploy.local.compacted import BrokerError
from driftline.deploy.local.environment import variables
from driftline.schemas.deployment import DeploymentSettings
from driftline.schemas.settings import Settings
from driftline.schemas.topics import STATES
from driftline.streams.processors.settings_book import SettingsBook
from driftline.streams.processors.tail import TopicTail

Say = Callable[..., tuple[int, str, str]]
WRITERS = 4


@pytest.fixture
def say(
    lane: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Say:
    """Return a caller of `driftline deployment` on a lane: code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)
    for name, value in variables(lane).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("DRIFTLINE_OPERATOR_NAME", "ana")

    def call(*words: str) -> tuple[int, str, str]:
        code = main(["deployment", *words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def test_what_is_applied_reaches_commands_and_workers(say: Say, lane: Settings, tmp_path: Path) -> None:
    """Two revisions are published, listed, shown, and looked up by event time by a worker that follows the topic."""
    book = SettingsBook()
    tail = TopicTail(lane, lane.kafka.topic_prefix + STATES, book.on_record)
    tail.start()
    file = tmp_path / "flights.toml"
    for owner, words in (("Ana", ()), ("Ben", ("--since", "2013-04-01"))):
        file.write_text(f'deployment = "flights"\nowner = "{owner}"\n', encoding="utf-8")
        for published in (True, False):
            code, out, err = say("apply", "flights.toml", "--json", *words)
            assert code == 0, err
            assert json.loads(out)["published"] is published
    assert json.loads(say("list", "--json")[1])["revision"] == 2
    file.write_text(say("show", "flights")[1], encoding="utf-8")
    assert json.loads(say("apply", "flights.toml", "--json")[1])["published"] is False
    assert tail.caught_up(30.0)
    tail.stop()
    assert book.settings("flights", 1_364_774_399_999).owner == "Ana"
    assert book.settings("flights", 1_364_774_400_000).owner == "Ben"


def test_writers_at_once_get_a_revision_each(lane: Settings) -> None:
    """Changes made by several at the same moment are all in the topic, under revisions that differ."""
    start = threading.Barrier(WRITERS)
    found: list[int] = []

    def write(number: int) -> None:
        settings = DeploymentSettings(deployment="churn", owner=f"owner {number}")
        start.wait()
        state, is_new = deployments.apply(lane.kafka, settings, changed_by=f"{number}", now_ms=number + 1)
        assert is_new
        found.append(state.revision)

    writers = [threading.Thread(target=write, args=(number,)) for number in range(WRITERS)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(found) == list(range(1, WRITERS + 1))
    assert deployments.held(lane.kafka).known("churn").revision == WRITERS


def test_a_topic_that_is_not_there_is_one_sentence(lane: Settings) -> None:
    """Before the stack has made its topics, the sentence says what makes them."""
    elsewhere = msgspec.structs.replace(lane.kafka, topic_prefix="nowhere.")
    with pytest.raises(
        BrokerError, match=r"has no topic 'nowhere.deployment-state': run 'driftline up' first"
    ):
        deployments.held(elsewhere)
