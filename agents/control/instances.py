"""Instances: which serving instances live, and how far each has come with a revision; time is an argument.

An instance lives while heartbeats signed by its agent's key come, and is known by agent and name together, so that no
agent speaks for another's instance. What it acknowledged before it started anew counts no more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import msgspec

from driftline.agents.control.errors import SignatureError
from driftline.agents.control.grants import asked, held
from driftline.agents.control.signing import verified
from driftline.agents.control.trust import covers
from driftline.agents.control.verdicts import Refusal
from driftline.schemas.control.ack import LIVE_MS, Ack, Heartbeat
from driftline.schemas.control.command import Plan, RejectCode
from driftline.schemas.control.envelope import ACK, HEARTBEAT, Envelope, EnvelopeError
from driftline.schemas.control.serving_state import ServingState

if TYPE_CHECKING:
    from driftline.agents.control.trust import Keyring
    from driftline.schemas.control.trust import Agent

AHEAD_MS: Final = 60_000
"""How far an instance's clock may be from the broker's, ms."""
CONVERGE_MS: Final = 60_000
"""How long after a revision instances that have not made it so are no reason to speak of degradation, ms."""
FORGET_MS: Final = 3_600_000
MAX_INSTANCES: Final = 2_000
Word: TypeAlias = Literal["applied", "converging", "degraded"]
Next: TypeAlias = Literal["activate", "cancel", "wait"]


@dataclass(slots=True)
class Instance:
    """One instance as its last heartbeat said; times are the broker's and its own, ms since 1970."""

    agent: str
    name: str
    boot_id: str
    heard_ms: int
    said_ms: int
    is_draining: bool
    revisions: dict[str, int]
    acks: dict[str, Ack] = field(default_factory=dict)

    @property
    def title(self) -> str:
        """How sentences call it."""
        return f"{self.agent}/{self.name}"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the live instances of a deployment have come with a revision.

    Attributes:
        live: their names.
        done: of those, who prepared it, or made it so.
        failed: who could not, or does not believe it, with the reason.
    """

    live: tuple[str, ...]
    done: tuple[str, ...]
    failed: dict[str, str]

    @property
    def lacking(self) -> tuple[str, ...]:
        """Who lives and is not done."""
        return tuple(one for one in self.live if one not in self.done)

    def word(self, state: ServingState, now_ms: int) -> Word:
        """What is said of an active revision: `degraded` once it takes too long, or somebody failed."""
        if not self.lacking:
            return "applied"
        is_late = now_ms - state.decided_at_ms > CONVERGE_MS
        return "degraded" if is_late or self.failed else "converging"

    def next(self, state: ServingState, now_ms: int) -> tuple[Next, str]:
        """What becomes of a revision that is being prepared, and why."""
        if self.failed:
            return "cancel", "; ".join(f"{one}: {why}" for one, why in sorted(self.failed.items()))
        if self.live and not self.lacking:
            return "activate", f"prepared by {len(self.done)} of {len(self.live)} live instances"
        waited_s = (now_ms - state.decided_at_ms) / 1000
        limit_s = prepare_s(state)
        if waited_s <= limit_s:
            return "wait", ""
        whom = ", ".join(self.lacking) or "any instance: none that serves it is live"
        return "cancel", f"it was not prepared within {limit_s:g} s by {whom}"


class Instances:
    """All that were heard of in the last hour."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Instance] = {}

    def __iter__(self) -> Iterator[Instance]:
        """Yield them in the order in which they came."""
        return iter(tuple(self._known.values()))

    def hear(self, data: bytes, at_ms: int, ring: Keyring) -> Ack | Heartbeat | Refusal:
        """Take in a record of topic `acks`.

        Args:
            data: its bytes.
            at_ms: the broker's time of it, ms since 1970.
            ring: the keys that count now.

        Returns:
            What was said; or why it counts nothing: no known agent signed it, it is for another installation or a
            deployment that the agent does not serve, or its time is not the broker's, as of one that is sent again.
        """
        opened = _opened(data, ring)
        if isinstance(opened, Refusal):
            return opened
        said, agent = opened
        refusal = _foreign(said, agent, at_ms, ring)
        if refusal is not None:
            return refusal
        known = self._known.get((agent.id, said.instance))
        if isinstance(said, Ack):
            return _acknowledged(known, said)
        if known is None and len(self._known) >= MAX_INSTANCES:
            return Refusal("precondition_failed", f"{MAX_INSTANCES} instances are known, which is the most")
        is_same = known is not None and known.boot_id == said.boot_id
        if known is not None and is_same and said.at_ms < known.said_ms:
            return Refusal("replayed", f"{known.title} has said something later already")
        acks = known.acks if known is not None and is_same else {}
        self._known[agent.id, said.instance] = Instance(
            agent.id, said.instance, said.boot_id, at_ms, said.at_ms, said.is_draining, said.revisions, acks
        )
        return said

    def live(self, deployment: str, now_ms: int) -> tuple[Instance, ...]:
        """The instances of a deployment that live and take new callers."""
        return tuple(
            one
            for one in self
            if now_ms - one.heard_ms <= LIVE_MS and not one.is_draining and deployment in one.revisions
        )

    def silent(self, now_ms: int) -> tuple[Instance, ...]:
        """Those that have gone silent, and are waited for no more."""
        return tuple(one for one in self if now_ms - one.heard_ms > LIVE_MS)

    def forget(self, now_ms: int) -> None:
        """Drop those that have been silent for an hour."""
        self._known = {key: one for key, one in self._known.items() if now_ms - one.heard_ms <= FORGET_MS}

    def progress(self, state: ServingState, now_ms: int) -> Progress:
        """How far the live instances have come with the newest revision of a deployment."""
        live = self.live(state.deployment, now_ms)
        done, failed = [], {}
        for one in live:
            ack = one.acks.get(state.deployment)
            outcome = ack.outcome if ack is not None and ack.revision == state.revision else None
            serves = state.phase == "activate" and one.revisions.get(state.deployment, 0) >= state.revision
            if ack is not None and outcome in ("failed", "refused"):
                failed[one.title] = ack.reason or ack.outcome
            elif outcome == _WANTED[state.phase] or serves:
                done.append(one.title)
        return Progress(tuple(one.title for one in live), tuple(done), failed)


_WANTED: Final = {"prepare": "prepared", "activate": "activated"}


def prepare_s(state: ServingState) -> float:
    """How long instances may take to prepare what a state lets them, s, as its signed plan says."""
    grant = held(state, "change")
    return ((asked(grant.command).plan if grant is not None else None) or Plan()).prepare_s


def _acknowledged(known: Instance | None, said: Ack) -> Ack | Refusal:
    """Let an instance acknowledge: of its newest revision, the last word counts."""
    if known is None or known.boot_id != said.boot_id:
        return Refusal("precondition_failed", f"{said.instance} acknowledges before it lives")
    held_ack = known.acks.get(said.deployment)
    if held_ack is not None and (said.revision, said.at_ms) < (held_ack.revision, held_ack.at_ms):
        return Refusal("replayed", f"{known.title} has acknowledged something later already")
    known.acks[said.deployment] = said
    return said


def _opened(data: bytes, ring: Keyring) -> tuple[Ack | Heartbeat, Agent] | Refusal:
    def refuse(code: RejectCode, error: Exception | str) -> Refusal:
        return Refusal(code, str(error))

    try:
        envelope = Envelope.from_bytes(data)
        signers = verified(envelope, ring.agents)
    except EnvelopeError as error:
        return refuse("malformed", error)
    except SignatureError as error:
        return refuse("bad_signature", error)
    agents = {ring.serving[one].id: ring.serving[one] for one in signers}
    if len(agents) != 1:
        return refuse("unknown_key", f"{len(agents)} known agents signed it; one must")
    if envelope.payload_type not in (ACK, HEARTBEAT):
        return refuse("malformed", "the envelope holds neither an ack nor a heartbeat")
    kind = Ack if envelope.payload_type == ACK else Heartbeat
    try:
        return kind.from_bytes(envelope.body), next(iter(agents.values()))
    except msgspec.MsgspecError as error:
        return refuse("malformed", error)


def _foreign(said: Ack | Heartbeat, agent: Agent, at_ms: int, ring: Keyring) -> Refusal | None:
    if said.installation != ring.state.trust.installation:
        return Refusal("wrong_audience", f"it is for the installation {said.installation}")
    if abs(said.at_ms - at_ms) > AHEAD_MS:
        return Refusal("expired", f"it was said {abs(said.at_ms - at_ms):,} ms from when it came")
    named = (said.deployment,) if isinstance(said, Ack) else tuple(said.revisions)
    strange = [one for one in named if not covers(agent.deployments, one)]
    return Refusal("forbidden", f"{agent.id} does not serve {strange[0]}") if strange else None
