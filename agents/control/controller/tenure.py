"""Tenure: the time in which one process is the controller: it reads the audit, then decides what comes."""

from __future__ import annotations

import logging
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

from confluent_kafka import KafkaException

from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.topic import LAST_NOTES, NOTES, Reader, all_notes_of
from driftline.agents.control.controller.broker import Broker
from driftline.agents.control.controller.clerk import Clerk
from driftline.agents.control.controller.errors import ControllerError
from driftline.agents.control.controller.feed import Feed
from driftline.agents.control.controller.keys import Keys
from driftline.agents.control.controller.ledger import Ledger
from driftline.agents.control.controller.outside import Outside
from driftline.agents.control.controller.pen import Pen
from driftline.agents.control.controller.published import Published
from driftline.agents.control.controller.resets import is_reset
from driftline.agents.control.controller.streams import ALERTS_BACK_MS, Stream, WindowFeed
from driftline.agents.control.controller.turn import Turn
from driftline.agents.control.controller.vouched import Vouched
from driftline.agents.control.flood import Flooded, Many
from driftline.schemas.topics import ACKS, ALERTS, COMMANDS, STATES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from driftline.agents.control.admission import Arrived
    from driftline.agents.control.controller.seat import Seat
    from driftline.agents.serving.package.store import Store
    from driftline.schemas.control.serving_state import Tier
    from driftline.schemas.settings import Kafka

logger = logging.getLogger(__name__)

Closes = TypeVar("Closes", Feed, WindowFeed, Stream, Reader)
Read = TypeVar("Read")

BATCH: Final = 64
ACKS_BATCH: Final = 500
POLL_S: Final = 0.1
GUARD_MS: Final = 5_000
"""How often the topic of commands is looked at: whether it still is the one that was read."""
SCANS: Final = 10
"""Reads without a record after which the rest of a topic is taken to hold none."""
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
        limits_ms: how long a command of each tier waits for approvals, ms.
        now_ms: the clock, ms since 1970.
    """

    kafka: Kafka
    genesis: str
    keys: Keys
    store: Store | None
    limits_ms: Mapping[Tier, int]
    now_ms: Callable[[], int] = field(repr=False)


class Tenure:
    """Fences whoever was the controller before, stands where the audit ends, and writes from there on.

    Raises:
        KafkaException: also from `step`: the tenure is over; another may begin.
        AuditError: the audit cannot be read, or is not the one that is pinned.
        ControllerError: the topic of commands is another one than was read, no controller signed the audit's end, or
            trust does not name these keys.
    """

    def __init__(self, setup: Setup, seat: Seat) -> None:
        self._setup, self._seat = setup, seat
        kafka, now_ms = setup.kafka, setup.now_ms()
        self._broker = Broker(kafka)
        self._topics = {name: self._broker.topic_id(name) for name in (COMMANDS, ACKS, STATES)}
        self._guarded_ms = self._rested_ms = now_ms
        self._first: list[Arrived] = []
        self._passed: Flooded | None = None
        self._open = ExitStack()
        try:
            self._begin(kafka, now_ms)
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
        self._shown.take(self.clerk.windows)
        for _, value in self._alerts.take():
            self.ledger.news.hear(value)
        turn = self.clerk.turn(commands, acks, now_ms, self._passed)
        self._passed = None
        if not turn.is_empty:
            self._write(turn, now_ms)
            self.clerk.check_keys()
        elif abs(now_ms - self._rested_ms) > REST_MS:
            self._write(Turn(), now_ms)
        # The clock may be set back.
        if abs(now_ms - self._guarded_ms) > GUARD_MS:
            self._guard(now_ms)
            self._hold(now_ms)
        # Last: what watches may be out of reach, and what is commanded waits for none of it.
        self._alerts.open()
        self._shown.follow(self.clerk.windows, now_ms)
        return len(turn.audit)

    def close(self) -> None:
        """End it; what was not committed is not there."""
        self._open.close()

    def _begin(self, kafka: Kafka, now_ms: int) -> None:
        """Fence, read the audit, open the topics where it says, and say again what others wrote over."""
        # First this: nothing is written by an earlier controller once the audit is read.
        self._pen = Pen(kafka)
        outside = Outside(lambda: self._topics[COMMANDS], self._setup.store)
        with closing(Reader(kafka, NOTES, last=LAST_NOTES)) as reader:
            vouched = Vouched(_records(reader), lambda: _read(all_notes_of(kafka)))
        with closing(Reader(kafka)) as reader:
            self.ledger = Ledger(
                _records(reader),
                self._setup.genesis,
                outside.look,
                vouched=vouched,
                limits_ms=self._setup.limits_ms,
            )
        outside.ring = lambda: self.ledger.desk.history.now.ring
        self.clerk = Clerk(self.ledger, self._setup.keys, outside, self._topics)
        self.ledger.members.grace(now_ms)
        self._commands = self._opened(self._commands_feed(kafka))
        self._acks = self._opened(self._acks_feed(kafka))
        self._shown = self._opened(WindowFeed(kafka))
        self._alerts = self._opened(Stream(kafka, ALERTS, now_ms - ALERTS_BACK_MS))
        self._alerts.open()
        self._published = Published(self._opened(Reader(kafka, STATES)))
        published, revisions = self._published.take(_read(self._published.reader.pairs_to_the_end()))
        self._write(self.clerk.inherit(revisions, now_ms), now_ms)
        self._write(self.clerk.restate(published, self.clerk.deployments, now_ms), now_ms)

    def _opened(self, topic: Closes) -> Closes:
        """Let a topic be left when the tenure ends."""
        self._open.callback(topic.close)
        return topic

    def _acks_feed(self, kafka: Kafka) -> Feed:
        """The topic of acks from where the group committed it, as far as it still is there."""
        known = self._seat.committed(kafka.topic_prefix + ACKS)
        feed = Feed(kafka, ACKS, known)
        low, high = feed.bounds()
        if known is None or low <= known <= high:
            return feed
        feed.close()
        return Feed(kafka, ACKS, low)

    def _commands_feed(self, kafka: Kafka) -> Feed:
        """The topic of commands from where the audit ends, or behind the log-reset that lets another one be read."""
        place, topic_id = self.ledger.place, self._topics[COMMANDS]
        feed = Feed(kafka, COMMANDS, None if place.topic_id is None else place.offset)
        wrong = place.fault(topic_id, *feed.bounds())
        if wrong is None:
            return feed
        feed.close()
        reset = self._reset()
        if reset is None:
            raise ControllerError(_stop(kafka, wrong, topic_id))
        self._first = [reset]
        return Feed(kafka, COMMANDS, reset.offset + 1)

    def _reset(self) -> Arrived | None:
        """The first log-reset in a topic that is another one, if root keys signed it for this topic."""
        passed, now_ms = Many(), self._setup.now_ms()
        with closing(Feed(self._setup.kafka, COMMANDS, None)) as feed:
            _, end = feed.bounds()
            empty = 0
            while feed.offset < end and empty < SCANS:
                came = feed.take(BATCH, 1.0)
                empty = 0 if came else empty + 1
                for one in came:
                    if is_reset(one, self.ledger.desk, self._topics[COMMANDS], now_ms):
                        self._passed = passed.told()
                        return one
                    passed.take(one)
        return None

    def _hold(self, now_ms: int) -> None:
        """Say again what is so where somebody else wrote in `deployment-state`."""
        try:
            self._published.hear(self._published.reader.pairs(0), self.clerk.deployments)
        except AuditError as error:
            raise KafkaException(str(error)) from error
        late = self._published.late(now_ms)
        if late:
            self._write(self.clerk.restate(late, late, now_ms), now_ms)

    def _write(self, turn: Turn, now_ms: int) -> None:
        self._published.mine(turn)
        self._pen.write(turn, (self._commands.place, self._acks.place), self._seat.group)
        self._rested_ms = now_ms

    def _guard(self, now_ms: int) -> None:
        """Stop when the topic of commands is not the one that was read; begin anew where that of states is not."""
        self._guarded_ms, kafka = now_ms, self._setup.kafka
        bounds = self._commands.bounds()
        topic_id = self._broker.topic_id(COMMANDS)
        wrong = self.ledger.place.fault(topic_id, *bounds)
        if wrong is None and topic_id != self._topics[COMMANDS]:
            wrong = f"it has the id {topic_id}, and had {self._topics[COMMANDS]}: it was made anew"
        if wrong is not None:
            raise ControllerError(_stop(kafka, wrong, topic_id))
        if self._broker.topic_id(STATES) != self._topics[STATES]:
            raise KafkaException(f"{STATES} was made anew: what is so is written there again")


def _records(reader: Reader) -> Iterator[bytes]:
    return _read(reader.to_the_end())


def _read(values: Iterator[Read]) -> Iterator[Read]:
    """Read to the end; a broker that went away ends the tenure, not the process."""
    try:
        yield from values
    except AuditError as error:
        raise KafkaException(str(error)) from error


def _stop(kafka: Kafka, wrong: str, topic_id: str) -> str:
    return (
        f"topic {kafka.topic_prefix + COMMANDS!r} is not as it was left: {wrong}; look into it, then let root keys "
        f"sign 'driftline log-reset {topic_id}' and start again"
    )
