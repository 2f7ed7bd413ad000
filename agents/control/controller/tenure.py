"""Tenure: the time in which one process is the controller: it reads the audit, then decides what comes."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from driftline.agents.audit.topic import Reader
from driftline.agents.control.controller.clerk import Clerk, Keys
from driftline.agents.control.controller.errors import ControllerError
from driftline.agents.control.controller.feed import Broker, Feed
from driftline.agents.control.controller.ledger import Ledger
from driftline.agents.control.controller.outside import Outside
from driftline.agents.control.controller.pen import Pen
from driftline.agents.control.controller.place import ACKS, COMMANDS, STATES
from driftline.agents.control.controller.resets import is_reset
from driftline.agents.control.controller.streams import ALERTS, ALERTS_BACK_MS, Stream, WindowFeed
from driftline.agents.control.controller.turn import Turn
from driftline.agents.control.flood import Flooded, Many
from driftline.schemas import codec
from driftline.schemas.deployment_state import read_record
from driftline.schemas.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.agents.control.admission import Arrived
    from driftline.agents.control.controller.seat import Seat
    from driftline.agents.serving.package.store import Store
    from driftline.schemas.deployment_state import DeploymentState
    from driftline.schemas.settings import Kafka

logger = logging.getLogger(__name__)

BATCH: Final = 64
ACKS_BATCH: Final = 500
POLL_S: Final = 0.1
GUARD_MS: Final = 5_000
"""How often the topic of commands is looked at: whether it still is the one that was read."""
REST_MS: Final = 60_000
"""How often at least the position in `acks` is committed, ms."""


@dataclass(frozen=True, slots=True)
class Setup:
    """What every tenure begins with.

    Attributes:
        kafka: where the broker is.
        genesis: the pinned digest of record 0.
        keys: of this controller.
        store: of packages; None for none.
        now_ms: the clock, ms since 1970.
    """

    kafka: Kafka
    genesis: str
    keys: Keys
    store: Store | None
    now_ms: Callable[[], int] = field(repr=False)


class Tenure:
    """Fences whoever was the controller before, stands where the audit ends, and writes from there on.

    Raises:
        KafkaException: also from `step`: the tenure is over; another may begin.
        AuditError: the audit cannot be read, or is not the one that is pinned.
        ControllerError: the topic of commands is another one than was read, or trust does not name these keys.
    """

    def __init__(self, setup: Setup, seat: Seat) -> None:
        self._setup, self._seat = setup, seat
        kafka, now_ms = setup.kafka, setup.now_ms()
        self._broker = Broker(kafka)
        self._topics = {name: self._broker.topic_id(name) for name in (COMMANDS, ACKS)}
        # First this: nothing is written by an earlier controller once the audit is read.
        self._pen = Pen(kafka)
        self._outside = Outside(lambda: self._topics[COMMANDS], setup.store)
        with closing(Reader(kafka)) as reader:
            self.ledger = Ledger(reader.to_the_end(), setup.genesis, self._outside.look)
        self._outside.ring = lambda: self.ledger.desk.history.now.ring
        self.clerk = Clerk(self.ledger, setup.keys, self._outside, self._topics)
        self.ledger.members.grace(now_ms)
        self._guarded_ms = self._rested_ms = now_ms
        self._first: list[Arrived] = []
        self._passed: Flooded | None = None
        self._shown = WindowFeed(kafka)
        self._alerts = Stream(kafka, ALERTS, now_ms - ALERTS_BACK_MS)
        self._commands, self._acks = self._open()
        try:
            self._resume(now_ms)
        except BaseException:
            self.close()
            raise
        logger.info(
            "the audit has %d records; commands go on at offset %d",
            self.ledger.log.size,
            self._commands.offset,
        )

    def step(self) -> int:
        """Decide what came, and write it; give how many records the audit grew by."""
        commands = self._first or self._commands.take(BATCH, POLL_S)
        self._first = []
        acks = self._acks.take(ACKS_BATCH, 0)
        now_ms = self._setup.now_ms()
        self._shown.follow(self.clerk.windows, now_ms)
        for _, value in self._alerts.take():
            self.ledger.news.hear(value)
        turn = self.clerk.turn(commands, acks, now_ms, self._passed)
        self._passed = None
        if not turn.is_empty:
            self._write(turn, now_ms)
        elif now_ms - self._rested_ms > REST_MS:
            self._write(Turn(), now_ms)
        if now_ms - self._guarded_ms > GUARD_MS:
            self._guard(now_ms)
        return len(turn.audit)

    def close(self) -> None:
        """End it; what was not committed is not there."""
        self._commands.close()
        self._acks.close()
        self._shown.close()
        self._alerts.close()

    def _open(self) -> tuple[Feed, Feed]:
        kafka, place = self._setup.kafka, self.ledger.place
        known = self._seat.committed(kafka.topic_prefix + ACKS)
        acks = Feed(kafka, ACKS, known)
        low, high = acks.bounds()
        if known is not None and not low <= known <= high:
            acks.close()
            acks = Feed(kafka, ACKS, low)
        commands = Feed(kafka, COMMANDS, place.offset)
        _, end = commands.bounds()
        wrong = place.fault(self._topics[COMMANDS], end)
        if wrong is None:
            return commands, acks
        commands.close()
        reset = self._reset(end)
        if reset is None:
            acks.close()
            raise ControllerError(_stop(kafka, wrong, self._topics[COMMANDS]))
        self._first = [reset]
        return Feed(kafka, COMMANDS, reset.offset + 1), acks

    def _reset(self, end: int) -> Arrived | None:
        """The first log-reset in a topic that is another one, if root keys signed it for this topic."""
        passed, now_ms = Many(), self._setup.now_ms()
        with closing(Feed(self._setup.kafka, COMMANDS, None)) as feed:
            while feed.offset < end:
                for one in feed.take(BATCH, 1.0):
                    if is_reset(one, self.ledger.desk, self._topics[COMMANDS], now_ms):
                        self._passed = passed.told()
                        return one
                    passed.take(one)
        return None

    def _resume(self, now_ms: int) -> None:
        """Take over what was published before, and say again what somebody else wrote over."""
        published, revisions = published_states(self._setup.kafka)
        for turn in (self.clerk.inherit(revisions, now_ms), self.clerk.restate(published, now_ms)):
            if not turn.is_empty:
                self._write(turn, now_ms)

    def _write(self, turn: Turn, now_ms: int) -> None:
        self._pen.write(turn, (self._commands.place, self._acks.place), self._seat.group)
        self._rested_ms = now_ms

    def _guard(self, now_ms: int) -> None:
        """Stop when the topic of commands is not the one that was read."""
        self._guarded_ms, kafka = now_ms, self._setup.kafka
        _, end = self._commands.bounds()
        topic_id = self._broker.topic_id(COMMANDS)
        wrong = self.ledger.place.fault(topic_id, end)
        if wrong is None and topic_id != self._topics[COMMANDS]:
            wrong = f"it has the id {topic_id}, and had {self._topics[COMMANDS]}: it was made anew"
        if wrong is not None:
            raise ControllerError(_stop(kafka, wrong, topic_id))


def published_states(kafka: Kafka) -> tuple[dict[str, bytes], dict[str, tuple[DeploymentState, ...]]]:
    """Read `deployment-state`: the newest record by deployment, and the settings in it, as far as they can be read.

    Raises:
        AuditError: the topic cannot be read.
    """
    values: dict[str, bytes] = {}
    revisions: dict[str, tuple[DeploymentState, ...]] = {}
    with closing(Reader(kafka, STATES)) as reader:
        for value in reader.to_the_end():
            try:
                name = codec.decode_as("DeploymentState", value)["deployment"]
                values[name] = value
                read = read_record(name.encode(), value)
            except Refused as refused:
                logger.warning("a record of %s is left out: %s", STATES, refused)
                continue
            if read:
                revisions[name] = read
    return values, revisions


def _stop(kafka: Kafka, wrong: str, topic_id: str) -> str:
    return (
        f"topic {kafka.topic_prefix + COMMANDS!r} is not as it was left: {wrong}; look into it, then let root keys "
        f"sign 'driftline log-reset {topic_id}' and start again"
    )
