"""Load: a departure board that never stops asking: several connections, in event time, and labels once flights landed.

Nothing is tried again: a request that is not answered with 200, by a version, is a failed one.
"""

from __future__ import annotations

import heapq
import http.client
import math
import re
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

import msgspec

from driftline.agents.serving.v2 import LENGTH_HEADER
from driftline.deploy.demo.asks import NEVER
from driftline.deploy.demo.model import DAY_MS
from driftline.deploy.local.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from driftline.deploy.demo.asks import Ask

CONNECTIONS: Final = 3
QUICKLY: Final = 5.0
"""Days a second that are asked for at most on the way to a time; the agent may take longer."""
LINGER_S: Final = 5.0
"""While people decide, two thirds of what is left before the time that is not to be passed are asked in so long."""
LABELS_EVERY_S: Final = 0.25
ANSWER_S: Final = 30.0
_OK: Final = 200
_LENGTH: Final = LENGTH_HEADER.decode()
_VERSION: Final = re.compile(rb'"model_version":"([^"]+)"')


class Load:
    """Asks an agent for flights as they depart, and tells it what became of them.

    Args:
        port: where the agent listens on loopback.
        deployment: what is asked.
        token: opens the door for labels.
        requests: in the order of their event times.
    """

    def __init__(self, port: int, deployment: str, token: str, requests: Iterator[Ask]) -> None:
        self._port, self._deployment, self._token, self._requests = port, deployment, token, requests
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._due: list[tuple[int, str, bool]] = []
        self._from = (time.monotonic(), 0)
        self._to_ms = self._bar_ms = 0
        self._threads: list[threading.Thread] = []
        self.now_ms = 0
        """Event time of the newest request that was asked, ms since 1970."""
        self.answered: Counter[str] = Counter()
        """Requests that a version answered."""
        self.failures: list[str] = []
        """What went wrong, a sentence each."""
        self.labels = 0

    @property
    def requests(self) -> int:
        """How many were asked, answered or not."""
        return self.answered.total() + len(self.failures)

    def start(self, first_ms: int, bar_ms: int) -> None:
        """Begin to ask at an event time, lingering before another that is not passed."""
        self.now_ms = first_ms
        self.aim(first_ms, bar_ms)
        work = [self._ask] * CONNECTIONS + [self._tell]
        self._threads = [threading.Thread(target=one, name="load", daemon=True) for one in work]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Let what is under way be answered, and end."""
        self._stop.set()
        for thread in self._threads:
            thread.join(ANSWER_S)

    def aim(self, to_ms: int, bar_ms: int) -> None:
        """Ask as `reach` does, without waiting for it."""
        with self._lock:
            self._from, self._to_ms, self._bar_ms = (time.monotonic(), self.now_ms), to_ms, bar_ms

    def reach(self, event_ms: int, bar_ms: int, seconds: float) -> None:
        """Ask quickly until the flights of a time are asked about, then linger before another one.

        Args:
            event_ms: what is reached.
            bar_ms: what is not passed until the next call, however long people take: requests grow rare before it.
            seconds: how long it may take.

        Raises:
            TimeoutError: it takes longer.
        """
        self.aim(event_ms, bar_ms)
        deadline = time.monotonic() + seconds
        while self.now_ms < event_ms:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the board asked {self.requests:,} requests in {seconds:.0f} s")
            time.sleep(0.02)

    def _next(self) -> Ask | None:
        """The next request, as soon as it is due; None at the end."""
        with self._lock:
            found = next(self._requests, None)
            if found is None:
                return None
            while found.at_ms > self._due_ms():
                if self._stop.is_set():
                    return None
                # Whoever aims anew needs the lock.
                self._lock.release()
                time.sleep(0.005)
                self._lock.acquire()
            self.now_ms = max(self.now_ms, found.at_ms)
            return None if self._stop.is_set() else found

    def _due_ms(self) -> float:
        """Up to which event time flights are asked about now."""
        since_s, since_ms = self._from
        spent_s = time.monotonic() - since_s
        quickly_s = max(self._to_ms - since_ms, 0) / (QUICKLY * DAY_MS)
        if spent_s < quickly_s:
            return since_ms + spent_s * QUICKLY * DAY_MS
        left = max(self._bar_ms - max(self._to_ms, since_ms), 0)
        return self._bar_ms - left * math.exp((quickly_s - spent_s) / LINGER_S)

    def _ask(self) -> None:
        connection = http.client.HTTPConnection(LOOPBACK, self._port, timeout=ANSWER_S)
        path = f"/v2/models/{self._deployment}/infer"
        while (asked := self._next()) is not None:
            try:
                connection.request("POST", path, asked.body, {_LENGTH: str(asked.json_bytes)})
                answer = connection.getresponse()
                body = answer.read()
            except (OSError, http.client.HTTPException) as error:
                self._failed(f"{asked.id}: {type(error).__name__}: {error}")
                connection.close()
                continue
            version = _VERSION.search(body)
            if answer.status != _OK or version is None:
                self._failed(f"{asked.id}: {answer.status}: {body[:200].decode(errors='replace')}")
                continue
            with self._lock:
                self.answered[version[1].decode()] += 1
                for name, late, landed_ms in zip(asked.row_ids(), asked.late, asked.landed_ms, strict=True):
                    if late is not None and landed_ms != NEVER:
                        heapq.heappush(self._due, (landed_ms, name, late))
        connection.close()

    def _failed(self, sentence: str) -> None:
        with self._lock:
            self.failures.append(sentence)

    def _tell(self) -> None:
        """Tell by the agent's door what has landed."""
        connection = http.client.HTTPConnection(LOOPBACK, self._port, timeout=ANSWER_S)
        while not self._stop.wait(LABELS_EVERY_S):
            with self._lock:
                landed = []
                while self._due and self._due[0][0] <= self.now_ms:
                    landed.append(heapq.heappop(self._due))
            if not landed:
                continue
            lines = b"\n".join(
                msgspec.json.encode({"id": name, "value": late, "known_at": when})
                for when, name, late in landed
            )
            try:
                connection.request("POST", "/v1/labels", lines, {"Authorization": f"Bearer {self._token}"})
                answer = connection.getresponse()
                told = msgspec.json.decode(answer.read())
            except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
                self._failed(f"labels: {type(error).__name__}: {error}")
                connection.close()
                continue
            if answer.status == _OK and not told["refused"]:
                self.labels += len(landed)
            else:
                self._failed(f"labels: {answer.status}: {told}")
        connection.close()
