"""Acks: what an agent says of each revision, counted and signed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from driftline.agents.control.signing import sign
from driftline.schemas.control.ack import Ack
from driftline.schemas.control.envelope import ACK
from driftline.schemas.topics import ACKS

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.agents.control.signing import Signer
    from driftline.agents.serving.metrics import ServingMetrics
    from driftline.schemas.control.ack import Outcome

UNKNOWN: Final = "unknown"
"""In metrics, any deployment of which nothing is served: whoever may write the states may invent names without end."""


class Acks:
    """Says how revisions went.

    Args:
        key: signs.
        instance, boot_id: who says it.
        metrics: count it.
        say: puts a record on a topic: topic, key, value.
        now_ms: the clock, ms since 1970.
    """

    def __init__(
        self,
        key: Signer,
        instance: str,
        boot_id: str,
        metrics: ServingMetrics,
        say: Callable[[str, str, bytes], None],
        now_ms: Callable[[], int],
    ) -> None:
        self._key, self._instance, self._boot_id = key, instance, boot_id
        self._metrics, self._say, self._now_ms = metrics, say, now_ms

    def tell(
        self, installation: str, deployment: str, revision: int, outcome: Outcome, reason: str, seconds: float,
        *, state: str = "", is_served: bool = True,
    ) -> None:  # fmt: skip
        """Say it; nobody is told while no installation is known."""
        self._metrics.swaps.labels(deployment if is_served else UNKNOWN, outcome).inc()
        if not installation:
            return
        ack = Ack(
            installation=installation,
            deployment=deployment,
            revision=max(0, revision),
            instance=self._instance,
            boot_id=self._boot_id,
            outcome=outcome,
            at_ms=self._now_ms(),
            reason=reason[:500],
            seconds=seconds,
            state=state or None,
        )
        self._say(ACKS, deployment, sign(ACK, ack.to_bytes(), self._key).to_bytes())
