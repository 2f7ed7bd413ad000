"""A worker in a thread of the test's process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from prometheus_client import CollectorRegistry

from driftline.schemas.settings import Settings

M = TypeVar("M")


@contextmanager
def in_thread(
    work: Callable[[Settings, threading.Event, M], object],
    settings: Settings,
    metrics: Callable[[CollectorRegistry], M],
) -> Iterator[CollectorRegistry]:
    """Run a worker until the block ends; gives the registry of its metrics. What it raises fails the test."""
    registry, stopping = CollectorRegistry(), threading.Event()
    failures: list[BaseException] = []

    def whole() -> None:
        try:
            work(settings, stopping, metrics(registry))
        except BaseException as error:  # noqa: BLE001 - raised again in the test's thread
            failures.append(error)

    thread = threading.Thread(target=whole)
    thread.start()
    try:
        yield registry
    finally:
        stopping.set()
        thread.join(60)
    assert not failures, failures
