"""What each process that reads Kafka for long says while no broker answers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from driftline.agents.challenger.worker import Challenger
from driftline.agents.control.controller.seat import Seat
from driftline.agents.retrain.commands import Commands
from driftline.agents.retrain.memory import Memory
from driftline.agents.retrain.worker import follow
from driftline.schemas.settings import Kafka, Settings
from driftline.streams.processors.tail import TopicTail

NOWHERE = Kafka(bootstrap="127.0.0.1:1")


def retrain(stopping: threading.Event, folder: Path) -> None:
    """Follow the advice."""
    follow(NOWHERE, Commands(commands={}), Memory(folder / "memory.json"), {}, stopping)


def challenger(stopping: threading.Event, folder: Path) -> None:
    """Answer events."""
    del folder
    manifest: Any = SimpleNamespace(name="churn", version="2")
    Challenger(NOWHERE, "churn", manifest, manifest).run(stopping)


def controller(stopping: threading.Event, folder: Path) -> None:
    """Stand by."""
    del folder
    with closing(Seat(NOWHERE, 30_000)) as seat:
        while not stopping.is_set():
            seat.look(0.1)


def settings_book(stopping: threading.Event, folder: Path) -> None:
    """Follow a topic."""
    del folder
    tail = TopicTail(Settings(kafka=NOWHERE), "deployment-state", lambda *_: None)
    tail.start()
    stopping.wait()
    tail.stop()


@pytest.mark.parametrize("work", [retrain, challenger, controller, settings_book])
def test_kafka_out_of_reach_is_said_once_in_words(
    work: Callable[[threading.Event, Path], None],
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """The process says it within the first attempts, and librdkafka's own lines stay away from stderr."""
    stopping = threading.Event()

    class Hearing(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if "out of reach" in record.getMessage():
                stopping.set()

    hearing, limit = Hearing(), threading.Timer(60, stopping.set)
    logging.getLogger("driftline").addHandler(hearing)
    limit.start()
    try:
        work(stopping, tmp_path)
    finally:
        limit.cancel()
        logging.getLogger("driftline").removeHandler(hearing)
    [said] = [one for one in caplog.messages if "out of reach" in one]
    assert said.startswith("Kafka at 127.0.0.1:1 is out of reach, and is tried again: ")
    assert "Connection refused" in said
    assert "FAIL" not in capfd.readouterr().err
