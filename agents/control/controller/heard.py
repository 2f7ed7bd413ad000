"""Heard: messages of topic `acks` as far as an agent's key signed them, for deployments that it speaks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from driftline.agents.control.errors import SignatureError
from driftline.agents.control.signing import held_by, verified
from driftline.agents.control.trust import Keyring, covers
from driftline.schemas.control.ack import Ack, Heartbeat
from driftline.schemas.control.envelope import ACK, HEARTBEAT, Envelope, EnvelopeError

if TYPE_CHECKING:
    from driftline.agents.control.admission import Arrived
    from driftline.schemas.control.trust import Agent


def heard(record: Arrived, ring: Keyring) -> tuple[Ack | Heartbeat, Agent, Envelope] | None:
    """Read a message.

    Returns:
        What was said, by which agent, in which envelope, with the signatures that hold alone; None for what no known
        agent signed, for another installation, and for a deployment that the agent's key does not speak for.
    """
    try:
        envelope = Envelope.from_bytes(record.value)
        signers = verified(envelope, ring.agents)
        said = _said(envelope)
    except (EnvelopeError, SignatureError, msgspec.MsgspecError):
        return None
    agents = {ring.serving[one].id: ring.serving[one] for one in signers}
    if said is None or len(agents) != 1 or said.installation != ring.state.trust.installation:
        return None
    agent = next(iter(agents.values()))
    if isinstance(said, Ack) and not covers(agent.deployments, said.deployment):
        return None
    return said, agent, held_by(envelope, signers)


def _said(envelope: Envelope) -> Ack | Heartbeat | None:
    if envelope.payload_type == ACK:
        return Ack.from_bytes(envelope.body)
    return Heartbeat.from_bytes(envelope.body) if envelope.payload_type == HEARTBEAT else None
