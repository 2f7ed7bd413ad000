"""Fake serving instances: what they say is signed, and said when a test tells them to."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from controlled import Hall, now_ms
from signed import INSTALLATION, key, number

from driftline.agents.control.signing import sign
from driftline.schemas.control.ack import Ack, Heartbeat
from driftline.schemas.control.envelope import ACK, HEARTBEAT
from driftline.schemas.control.serving_state import ServingState


class Instance:
    """A fake serving instance: heartbeats and acks, signed, when told to.

    Args:
        hall: where it lives.
        name: of the instance and of its agent.
        deployments: that it serves.
        fails: why it cannot prepare; empty when it can.
    """

    def __init__(self, hall: Hall, name: str, *deployments: str, fails: str = "") -> None:
        self._hall, self.name, self.fails = hall, name, fails
        self._boot = number(f"boot of {name}")
        self.revisions = dict.fromkeys(deployments, 0)
        self.answered: set[tuple[str, int]] = set()

    def beat(self, **fields: Any) -> None:
        """Say that it lives."""
        said = Heartbeat(
            **{
                "installation": INSTALLATION,
                "instance": self.name,
                "boot_id": self._boot,
                "at_ms": now_ms(),
                "revisions": self.revisions,
                "free_bytes": 1 << 30,
                **fields,
            }
        )
        self._hall.publish("acks", sign(HEARTBEAT, said.to_bytes(), key(self.name)).to_bytes(), self.name)

    def answer(self, state: ServingState) -> None:
        """Answer a revision once."""
        if (state.deployment, state.revision) in self.answered:
            return
        self.answered.add((state.deployment, state.revision))
        outcome = "activated" if state.phase == "activate" else "failed" if self.fails else "prepared"
        if outcome == "activated":
            self.revisions[state.deployment] = state.revision
        said = Ack(
            installation=INSTALLATION, deployment=state.deployment, revision=state.revision, instance=self.name,
            boot_id=self._boot, outcome=outcome, at_ms=now_ms(), reason=self.fails if outcome == "failed" else "",
        )  # fmt: skip
        self._hall.publish("acks", sign(ACK, said.to_bytes(), key(self.name)).to_bytes(), state.deployment)


def live(hall: Hall, *instances: Instance) -> Iterator[None]:
    """Let instances answer the newest states, once a turn of the caller's."""
    while True:
        for revisions in hall.states().values():
            for one in instances:
                one.answer(revisions[-1])
        for one in instances:
            one.beat()
        hall.flush()
        yield
