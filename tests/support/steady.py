"""Callers that ask an agent all the time, each request with an id of its own, and remember what they were answered."""

from __future__ import annotations

import http.client
import itertools
import json
import threading
import time
from collections import Counter
from typing import Any, Self

from agent_process import AgentProcess
from served import request

REST_S = 0.02


class Steady:
    """Callers of one agent, from the beginning of a block to its end.

    Args:
        agent: that they ask.
        name: of the callers; ids begin with it.
        callers: how many.

    Attributes:
        answered: the version that answered, by id.
        failed: what was answered otherwise, or not at all, by id.
        statuses: how often each status was answered; 0 for no answer.
        last_s: when the last prediction was answered (monotonic, s).
    """

    def __init__(self, agent: AgentProcess, name: str, callers: int = 2) -> None:
        self.answered: dict[str, str] = {}
        self.failed: dict[str, str] = {}
        self.statuses: Counter[int] = Counter()
        self.last_s = 0.0
        self._agent, self._name = agent, name
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(callers)]

    def __enter__(self) -> Self:
        """Begin."""
        for one in self._threads:
            one.start()
        try:
            self.reach(10)
        except AssertionError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End."""
        self._stop.set()
        for one in self._threads:
            one.join(60)

    def reach(self, more: int, seconds: float = 60.0) -> None:
        """Wait for so many more answers."""
        wanted, deadline = len(self.answered) + more, time.monotonic() + seconds
        while len(self.answered) < wanted:
            assert time.monotonic() < deadline, (self.statuses, self._agent.said())
            time.sleep(0.01)

    def _ask(self, number: int) -> None:
        connection: http.client.HTTPConnection | None = None
        for at in itertools.count():
            if self._stop.wait(REST_S):
                break
            identity = f"{self._name}-{number}-{at}"
            body = request(id=identity, parameters={"driftline_key": f"{self._name} {number}"})
            try:
                connection = connection or http.client.HTTPConnection(
                    "127.0.0.1", self._agent.port, timeout=60
                )
                connection.request("POST", "/v2/models/churn/infer", body)
                answer = connection.getresponse()
                self._note(identity, answer.status, json.loads(answer.read()))
            except (OSError, http.client.HTTPException, ValueError, AssertionError) as error:
                self.statuses[0] += 1
                self.failed[identity] = f"{type(error).__name__}: {error}"
                if connection is not None:
                    connection.close()
                connection = None
                self._stop.wait(0.05)
        if connection is not None:
            connection.close()

    def _note(self, identity: str, status: int, told: dict[str, Any]) -> None:
        self.statuses[status] += 1
        if status != http.client.OK:
            self.failed[identity] = str(told.get("error"))
            return
        assert told["id"] == identity
        assert told["model_version"] == str(int(told["outputs"][0]["data"][0]))
        self.answered[identity] = told["model_version"]
        self.last_s = time.monotonic()
