"""Service: the process of a controller: on standby until the partition is its own, then one tenure after another."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException

from driftline.agents.control.controller.seat import Seat
from driftline.agents.control.controller.standby import check
from driftline.agents.control.controller.tenure import Setup, Tenure
from driftline.agents.control.controller.witnessed import WitnessWatch

if TYPE_CHECKING:
    from threading import Event

    from driftline.agents.control.controller.metrics import ControllerMetrics

logger = logging.getLogger(__name__)

STANDBY_S: Final = 0.2
AGAIN_S: Final = 1.0
"""How long is waited after a tenure that ended by itself."""


def serve(setup: Setup, session_ms: int, metrics: ControllerMetrics, stop: Event) -> None:
    """Run until told to stop.

    Args:
        setup: keys, broker, store.
        session_ms: after which the group gives the partition of a silent controller to another, ms.
        metrics: of this process.
        stop: set it to end.

    Raises:
        AuditError: the audit is not the one that is pinned, or cannot be believed.
        ControllerError: this controller must not go on until a person has looked.
    """
    is_checked = False
    while not stop.is_set():
        seat = Seat(setup.kafka, session_ms)
        try:
            is_checked = is_checked or _wait(seat, setup, stop)
            _sit(seat, setup, metrics, stop)
        except KafkaException as error:
            # Fenced, or Kafka is away: whatever was not committed is not there, and the audit says where to go on.
            logger.warning("on standby again: %s", _said(error))
            metrics.interrupted.inc()
        finally:
            metrics.active.set(0)
            seat.close()
        stop.wait(AGAIN_S)


def _wait(seat: Seat, setup: Setup, stop: Event) -> bool:
    """Wait until the partition is this one's, or another's: then see that this one could take its place."""
    while not (stop.is_set() or seat.look(STANDBY_S) or seat.is_waiting):
        pass
    if seat.is_waiting:
        check(setup.kafka, setup.genesis, setup.keys, lambda: stop.is_set() or seat.look(0))
    return True


def _sit(seat: Seat, setup: Setup, metrics: ControllerMetrics, stop: Event) -> None:
    """Stay in the group; be the controller while the partition is this one's."""
    while not stop.is_set():
        if not seat.look(STANDBY_S):
            continue
        turns = seat.turns
        tenure, watch = Tenure(setup, seat), WitnessWatch(setup.kafka)
        metrics.active.set(1)
        try:
            while not stop.is_set() and seat.look(0) and seat.turns == turns:
                metrics.told(tenure.ledger, tenure.step())
                if watch.look(tenure.ledger.desk.history.now.ring.state, time.monotonic()):
                    metrics.signed(watch.found.signed)
        finally:
            metrics.ended()
            watch.close()
            tenure.close()


def _said(error: KafkaException) -> str:
    cause = error.args[0] if error.args else error
    return str(cause.str()) if hasattr(cause, "str") else str(cause)
