"""A watch over ClickHouse: when it had how many rows, and so how old rows were when they could be seen."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from driftline.streams.clickhouse.client import Client

if TYPE_CHECKING:
    from driftline.schemas.settings import Settings

WITHIN_S: Final = 90.0
POLL_S: Final = 0.05


@dataclass(slots=True)
class Watch:
    """Asks one question again and again: when had ClickHouse how many rows of which deployment.

    Attributes:
        settings: where ClickHouse is.
        question: a statement that gives deployment and n.
        every_s: pause between two answers, seconds.
        answers: (time on the monotonic clock, deployment -> rows), in order.
    """

    settings: Settings
    question: str
    every_s: float
    answers: list[tuple[float, dict[str, int]]] = field(default_factory=list)
    failure: Exception | None = None
    _stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> None:
        """Ask until `stop`; a failure ends it and is kept."""
        try:
            with Client(self.settings.clickhouse) as client:
                while not self._stop.wait(self.every_s):
                    found = {str(row["deployment"]): int(row["n"]) for row in client.query(self.question)}
                    self.answers.append((time.monotonic(), found))
        except Exception as error:  # noqa: BLE001 - raised again where it is waited for
            self.failure = error

    def stop(self) -> None:
        """Ask no more."""
        self._stop.set()

    def wait_for(self, wanted: dict[str, int], what: str) -> None:
        """Wait until an answer holds all that is wanted."""
        deadline = time.monotonic() + WITHIN_S
        while self.failure is None and time.monotonic() < deadline:
            last = self.answers[-1][1] if self.answers else {}
            if all(last.get(name, 0) >= rows for name, rows in wanted.items()):
                return
            time.sleep(POLL_S)
        why = self.failure or "see the workers' logs"
        raise RuntimeError(f"{what} did not hold all rows within {WITHIN_S:g} s: {why}")

    def ages(self, sent: dict[str, list[tuple[float, int]]]) -> np.ndarray:
        """Seconds from each call to the first answer that holds its rows.

        Args:
            sent: deployment -> (time of the call, rows logged up to and with it), in order.
        """
        times = np.array([at for at, _ in self.answers])
        found = []
        for name, calls in sent.items():
            counts = np.maximum.accumulate([rows.get(name, 0) for _, rows in self.answers])
            first = np.searchsorted(counts, [rows for _, rows in calls], side="left")
            found.append(times[first] - [at for at, _ in calls])
        return np.concatenate(found)
