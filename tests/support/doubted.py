"""Doubts without an agent: a judge who believes what a test says, and a topic of states that can be read again."""

from __future__ import annotations

from driftline.agents.control.verify_state import Believed, StateError
from driftline.agents.serving.doubts import Doubts

UNSIGNED = "nobody signed it"


class Judge:
    """Believes what is in `good`, and takes all but what begins with `forged` for signed."""

    def __init__(self) -> None:
        self.good: set[bytes] = set()
        self.served = {"churn"}
        self.signed: set[bytes] = set()
        self.believed: list[bytes] = []
        self.told: list[str] = []
        self.stands: dict[str, Believed] = {}
        self.kept: list[bytes] = []
        self.newest: set[bytes] = set()
        self.ahead: set[bytes] = set()

    def wants(self, deployment: str) -> bool:
        """Whether it is served."""
        return deployment in self.served

    def unsigned(self, deployment: str, data: bytes) -> str | None:
        """Whether a controller's key is under it."""
        del deployment
        return UNSIGNED if data.startswith(b"forged") and data not in self.signed else None

    def state(self, deployment: str, data: bytes) -> None:
        """Take a state."""
        del deployment
        if data not in self.good:
            raise StateError(f"{data.decode()} is wrong")
        if data not in self.believed:
            self.believed.append(data)

    def keep(self, deployment: str, data: bytes) -> None:
        """Keep a state."""
        del deployment
        if data in self.newest | self.ahead:
            self.kept.append(data)

    def settle(self) -> None:
        """Believe what a test calls the newest, if it is good."""
        for data in [one for one in self.kept if one in self.good & self.newest]:
            self.kept.remove(data)
            self.state("", data)

    def is_ahead(self, data: bytes) -> bool:
        """Whether a test says so."""
        return data in self.ahead

    def standing(self, deployment: str) -> Believed | None:
        """What a test says is believed."""
        return self.stands.get(deployment)

    def fault(self, deployment: str, data: bytes, before: Believed | None) -> str | None:
        """Why it would not be believed."""
        del deployment, before
        return None if data in self.good else f"{data.decode()} is wrong"

    def refused(self, deployment: str, revision: int, why: str, digest: str) -> None:
        """Be told."""
        del deployment, revision, digest
        self.told.append(why)


class Topic:
    """States as they lie in Kafka, read by doubts."""

    def __init__(self, judge: Judge) -> None:
        self.doubts = Doubts(judge)
        self.records: list[tuple[str, bytes]] = []

    def come(self, *states: bytes, deployment: str = "churn") -> None:
        """Let states come."""
        for data in states:
            self.records.append((deployment, data))
            self.doubts.take(deployment, data, len(self.records) - 1, 0.0)

    def again(self, now_s: float) -> None:
        """Read all of them again, and look."""
        for offset, (deployment, data) in enumerate(self.records):
            self.doubts.take(deployment, data, offset, now_s)
        self.doubts.look(now_s)

    def look(self, *seconds: float) -> None:
        """Look at them."""
        for now_s in seconds:
            self.doubts.look(now_s)
