"""Following: the process around a witness: it reads the log to its end, then signs as it grows."""

from __future__ import annotations

import logging
import time
from contextlib import closing
from typing import TYPE_CHECKING, Final

from driftline.agents.audit.checkpoint import Checkpoint
from driftline.agents.audit.errors import AuditError, WitnessError
from driftline.agents.audit.topic import LAST_NOTES, NOTES, Reader, publish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from threading import Event

    from driftline.agents.audit.store import Store
    from driftline.agents.audit.witness import Witness
    from driftline.schemas.settings import Kafka

logger = logging.getLogger(__name__)

POLL_S: Final = 0.5
A_WHILE_S: Final = 5.0


def follow(kafka: Kafka, witness: Witness, store: Store, stop: Event, now_s: Callable[[], float]) -> None:
    """Follow the log and sign until told to stop.

    1. Records are read, as far as they go in a while; a log that is not the one that was signed ends the process.
    2. Checkpoints are read, for as long, and held against the records.
    3. A new one is signed, stored, and only then published; what was stored before is published again at the start,
       and what Kafka did not take until it does.

    Args:
        kafka: where the broker is.
        witness: what was signed before is in it.
        store: where that is kept.
        stop: set it to end.
        now_s: the clock, s since 1970.

    Raises:
        WitnessError: the log cannot be signed; nothing more is, until somebody has looked.
        AuditError: Kafka cannot be read.
    """
    made = store.last()
    with closing(Reader(kafka)) as records, closing(Reader(kafka, NOTES, last=LAST_NOTES)) as notes:
        while not stop.is_set():
            for data in _what_came(records, stop):
                witness.record(data)
            for data in _what_came(notes, stop):
                witness.note(data)
            if records.is_at_end:
                witness.ended()
            refused = witness.compare()
            if refused is not None:
                raise WitnessError(
                    f"the log signed a checkpoint of {Checkpoint.of(refused).size} records that its records "
                    f"contradict; it is kept in {store.keep_evidence(refused)}; run 'driftline audit verify'"
                )
            fresh = witness.sign(int(now_s()))
            if fresh is not None:
                store.keep(fresh)
                made = fresh
            if made is not None:
                try:
                    publish(kafka, witness.name, made.to_bytes())
                except AuditError as error:
                    # It is stored: it is published again, or what grew out of it.
                    logger.warning("%s; it is tried again", error)
                    stop.wait(A_WHILE_S)
                    continue
                logger.info("signed %d records", Checkpoint.of(made).size)
                made = None


def _what_came(reader: Reader, stop: Event) -> Iterator[bytes]:
    """Give what there is, for a while at most: whoever may write goes on for as long as they like."""
    until_s = time.monotonic() + A_WHILE_S
    while not stop.is_set() and time.monotonic() < until_s:
        values = reader.read(POLL_S)
        if not values:
            return
        yield from values
