"""The doors for applications without a server: what is sent through them, and what their Emitters are told."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry

from driftline.agents.serving.doors import Doors
from driftline.agents.serving.metrics import ServingMetrics
from driftline.agents.serving.tokens import Tokens

NOW_MS = 1_800_000_000_000
TOKEN = "a token of churn alone"  # noqa: S105 - of these tests


class Told:
    """What Emitters were told."""

    def __init__(self) -> None:
        self.keys: list[tuple[str, str, str]] = []
        self.logged: list[Any] = []
        self.labelled: list[Any] = []

    def make(self, *key: str) -> Any:
        """Return the Emitter of a key: this."""
        self.keys.append(key)  # type: ignore[arg-type]
        return self

    def log(self, features: Any, score: Any = None, **facts: Any) -> bytes:
        """Keep a prediction."""
        self.logged.append((features, score, facts))
        return b""

    def log_many(self, columns: Any, score: Any = None, **facts: Any) -> None:
        """Keep predictions."""
        self.logged.append((columns, score, facts))

    def label(self, id: Any, value: Any = None, **facts: Any) -> None:  # noqa: A002 - as the Emitter
        """Keep a label."""
        self.labelled.append((id, value, facts))

    def stats(self) -> Any:
        """Tell that nothing was turned away."""
        return SimpleNamespace(dropped={})


class Open:
    """Doors that are open."""

    def __init__(self) -> None:
        self.told = Told()
        metrics = ServingMetrics(CollectorRegistry())
        self.doors = Doors(
            Tokens({"churn": TOKEN, "fraud": "another token"}),
            self.told.make,
            metrics,
            future_ms=1_000,
            now_ms=lambda: NOW_MS,
        )

    def sends(self, door: str, *lines: Any, token: str = TOKEN) -> tuple[int, dict[str, Any]]:
        """Send lines through a door."""
        body = b"\n".join(one if isinstance(one, bytes) else json.dumps(one).encode() for one in lines)
        scope = {"headers": [(b"authorization", b"Bearer " + token.encode())]}
        status, told = asyncio.run(getattr(self.doors, door)(scope, body))
        return status, json.loads(told)

    def event(self, kind: str, identity: str, body: Any, query: str = f"token={TOKEN}") -> dict[str, Any]:
        """Send a CloudEvent as KServe's logger does."""
        scope = {
            "headers": [(b"ce-type", kind.encode()), (b"ce-id", identity.encode())],
            "query_string": query.replace(" ", "+").encode(),
        }
        answer: dict[str, Any] = json.loads(
            asyncio.run(self.doors.cloud(scope, json.dumps(body).encode()))[1]
        )
        return answer
