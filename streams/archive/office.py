"""Office: lists dead letters, and sends them again once what refused them is mended."""

from __future__ import annotations

import base64
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from confluent_kafka import KafkaError, Message, Producer

from driftline.schemas.clients import producer_config
from driftline.schemas.errors import DriftlineError
from driftline.schemas.reach import QUIET
from driftline.streams.archive.errors import KafkaAwayError
from driftline.streams.archive.letter import RETRY_HEADER, Retry, retry_header
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.letter_rows import MENDED, OPEN

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from driftline.schemas.settings import Settings

# Letters fetched and sent at once: the bound of what is held (2.5 MB each at most).
PAGE = 100
SENT_AGAIN = ("predictions", "labels", "emitter-status")
"""Topics that emitters write: what was refused elsewhere is not ours to say again, least of all commands and audit."""
ANSWER_SECONDS = 30.0
_POLL_SECONDS = 0.2
_LISTED = "topic, partition, offset, state, reason, detail, attempts, refused_at, length(value) AS size_bytes, version"


class LetterError(DriftlineError):
    """A dead letter that is not there, or that cannot be sent again."""


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which dead letters; None leaves a part open. `since` is when they were refused last, UTC."""

    topic: str | None = None
    reason: str | None = None
    since: datetime | None = None
    state: str | None = OPEN
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Retried:
    """What became of letters that were sent again; `waiting` were not judged yet when we stopped asking."""

    sent: int
    mended: int
    refused: int
    waiting: int


def letters(settings: Settings, chosen: LetterFilter, limit: int) -> list[dict[str, Any]]:
    """Give dead letters, newest first, without their bytes.

    Keys: id (topic/partition/offset), topic, partition, offset, state, reason, detail, attempts, refused_at,
    size_bytes, version.

    Raises:
        LetterError: the id in the filter is none.
        ClickHouseError: the server is away or refuses.
    """
    where, parameters = _where(chosen)
    with Client(settings.clickhouse) as client:
        rows = client.query(
            f"SELECT {_LISTED} FROM dead_letters_now WHERE {where} "
            "ORDER BY refused_at DESC, topic, partition, offset LIMIT {limit:UInt64}",
            {**parameters, "limit": limit},
        )
    return [{"id": letter_name(row), **row} for row in rows]


def retry(settings: Settings, chosen: LetterFilter, wait_seconds: float) -> Retried:
    """Send open dead letters again, the same bytes under the same key, and wait until archive judged them.

    Each carries the mark of its first place, so that one that is still bad stays the same letter. Only letters of
    topics that emitters write (`SENT_AGAIN`) are sent.

    Raises:
        LetterError: there is none to send, or the one that is named is of another topic.
        KafkaAwayError: the broker took not all; what it took is judged, run it again for the rest.
        ClickHouseError: as `letters`.
    """
    where, parameters = _where(chosen)
    topic = parameters.get("of")
    if topic is not None and topic not in SENT_AGAIN:
        raise LetterError(f"letters of {topic} are not sent again: only those of {', '.join(SENT_AGAIN)} are")
    with Client(settings.clickhouse) as client:
        rows = client.query(
            f"SELECT {_LISTED} FROM dead_letters_now WHERE {where} AND topic IN {SENT_AGAIN} AND state = '{OPEN}' "
            "ORDER BY topic, partition, offset",
            parameters,
        )
        if not rows:
            raise LetterError("no open dead letter matches: 'driftline dead-letter list' shows what there is")
        producer = Producer(producer_config(settings.kafka) | {"log_level": QUIET})
        for start in range(0, len(rows), PAGE):
            _send(settings, producer, list(_whole(client, rows[start : start + PAGE])))
        return _judged(client, rows, wait_seconds)


def letter_name(row: dict[str, Any]) -> str:
    """Give the name of a letter: where the record first lay."""
    return f"{row['topic']}/{row['partition']}/{row['offset']}"


def _whole(client: Client, rows: Sequence[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Fetch keys, values and headers; in base64, since they are bytes and ClickHouse's client wants text."""
    for row in rows:
        found = client.query(
            "SELECT base64Encode(key) AS key, base64Encode(value) AS value, "
            "arrayMap(header -> (header.1, base64Encode(header.2)), headers) AS headers "
            "FROM dead_letters FINAL WHERE topic = {topic:String} AND partition = {partition:UInt32} "
            "AND offset = {offset:Int64}",
            {name: row[name] for name in ("topic", "partition", "offset")},
        )
        for whole in found:
            yield {**row, **whole}


def _send(settings: Settings, producer: Producer, rows: Sequence[dict[str, Any]]) -> None:
    faults: list[KafkaError] = []

    def answered(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            faults.append(error)

    for row in rows:
        mark = Retry(row["topic"], row["partition"], row["offset"], row["reason"], row["attempts"])
        headers = [(name, _bytes(value)) for name, value in row["headers"]]
        producer.produce(
            settings.kafka.topic_prefix + row["topic"],
            key=_bytes(row["key"]),
            value=_bytes(row["value"]),
            headers=[*headers, (RETRY_HEADER, retry_header(mark))],
            on_delivery=answered,
        )
    left = producer.flush(ANSWER_SECONDS)
    if left or faults:
        why = faults[0].str() if faults else f"no answer within {ANSWER_SECONDS:g} s"
        raise KafkaAwayError(
            f"{left + len(faults)} of {len(rows)} letters were not taken by the broker: {why}"
        )


def _judged(client: Client, rows: Sequence[dict[str, Any]], wait_seconds: float) -> Retried:
    """Ask until every letter has a newer row, or the time is up."""
    deadline_s = time.monotonic() + wait_seconds
    before = {letter_name(row): int(row["version"]) for row in rows}
    while True:
        now = client.query(
            "SELECT topic, partition, offset, state, version FROM dead_letters_now WHERE version > {least:UInt64}",
            {"least": min(before.values())},
        )
        states = [
            str(row["state"])
            for row in now
            if int(row["version"]) > before.get(letter_name(row), int(row["version"]))
        ]
        if len(states) == len(before) or time.monotonic() > deadline_s:
            mended = states.count(MENDED)
            return Retried(len(before), mended, len(states) - mended, len(before) - len(states))
        time.sleep(_POLL_SECONDS)


def _where(chosen: LetterFilter) -> tuple[str, dict[str, Any]]:
    parts = ["1"]
    parameters: dict[str, Any] = {}
    for column in ("topic", "reason", "state"):
        value = getattr(chosen, column)
        if value is not None:
            parts.append(f"{column} = {{{column}:String}}")
            parameters[column] = value
    if chosen.since is not None:
        parts.append("refused_at >= {since:DateTime64(3, 'UTC')}")
        parameters["since"] = (
            chosen.since.astimezone(UTC) if chosen.since.tzinfo else chosen.since.replace(tzinfo=UTC)
        )
    if chosen.name is not None:
        topic, _, place = chosen.name.partition("/")
        partition, _, offset = place.partition("/")
        if not (topic and partition.isdecimal() and offset.isdecimal()):
            raise LetterError(f"{chosen.name!r} is no dead letter's id: give it as topic/partition/offset")
        parts.append("topic = {of:String} AND partition = {in:UInt32} AND offset = {at:Int64}")
        parameters |= {"of": topic, "in": int(partition), "at": int(offset)}
    return " AND ".join(parts), parameters


def _bytes(text: str | None) -> bytes | None:
    return None if text is None else base64.b64decode(text)
