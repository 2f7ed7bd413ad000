"""Telling: advice that somebody asked for, with what a candidate gains, becomes an event as the alerts worker's are.

The worker knows of no candidate, and without one a month that is down is to be watched. That a refit helps is known to
whoever made the comparison; told, it reaches people, the archive, the audit and `driftline worker retrain`.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import msgspec

from driftline.deploy.local.compacted import produce
from driftline.deploy.local.deployments import held
from driftline.schemas.deployment_state import defaults
from driftline.schemas.topics import ALERTS
from driftline.streams.alerts.rule import routes

if TYPE_CHECKING:
    from driftline.schemas.advice import Advice
    from driftline.schemas.settings import Settings

_DIGITS: Final = 32


def tell(settings: Settings, advice: Advice, now_ms: int) -> Advice:
    """Send an advice to those whom the deployment's settings name, and to whoever follows the topic `alerts`.

    Its id is made of what it says: the same advice told again is the same event, which nobody acts on twice.

    Args:
        settings: where Kafka is.
        advice: as it was given to whoever asked.
        now_ms: the clock, ms since 1970.

    Returns:
        The event.

    Raises:
        BrokerError: Kafka does not take it.
    """
    state = held(settings.kafka).state(advice.deployment) or defaults(advice.deployment)
    heard = routes(state.settings, "fail" if advice.advice == "retrain" else "warn")
    plain = msgspec.structs.replace(
        advice, id="", made_at_ms=0, routes=() if advice.advice == "no need" else heard
    )
    name = f"asked-{hashlib.sha256(plain.to_bytes()).hexdigest()[:_DIGITS]}"
    event = msgspec.structs.replace(plain, id=name, made_at_ms=now_ms)
    produce(settings.kafka, ALERTS, advice.deployment.encode(), event.to_bytes())
    return event
