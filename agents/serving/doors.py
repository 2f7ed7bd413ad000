"""Doors: predictions and labels of applications that are not trusted with Kafka, as NDJSON, and KServe's logger.

A line is refused by itself, with its number; the others are taken. All is bounded: the body before it comes here, the
versions that are told of, the requests whose responses are awaited.
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import parse_qs
from uuid import UUID

import msgspec

from driftline.agents.control.verdicts import one_line
from driftline.agents.serving.cloudevents import MAX_ROW_BYTES, Pair, Pairs, names_bytes, rows_of
from driftline.agents.serving.errors import BAD_REQUEST, TOO_LARGE, AnswerError, bad_request
from driftline.agents.serving.tellers import CHAMPION, LABELS, Tellers, lost_rows, no_room
from driftline.agents.serving.tokens import Tokens, bearer
from driftline.schemas.names import MAX_COLUMNS, check_columns
from driftline.schemas.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from driftline.agents.emit import Emitter
    from driftline.agents.serving.http import Scope
    from driftline.agents.serving.metrics import ServingMetrics

MAX_LINES: Final = 50_000
MAX_PAYLOAD_BYTES: Final = 4 << 20
"""Of a CloudEvent: read in a thread, in whose one go nobody else is answered either."""
SLICE_S: Final = 0.002
"""How long lines are read before models are asked again."""
ERROR_CHARS: Final = 300
MAX_ERRORS: Final = 100
MAX_FIELDS: Final = 20
"""Of an address."""
_OK: Final = 200

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Value = float | int | bool | str | None
Values = Annotated[dict[Name, Value], msgspec.Meta(max_length=MAX_COLUMNS)]
Moment = Annotated[int, msgspec.Meta(ge=0, lt=1 << 47)]
MAX_ID_DIGITS: Final = 1_000
_MOST_ID: Final = 10**MAX_ID_DIGITS
Identity = Annotated[str, msgspec.Meta(min_length=1, max_length=MAX_ID_DIGITS)] | int


class _Event(msgspec.Struct, forbid_unknown_fields=True):
    version: Name
    features: Annotated[Values, msgspec.Meta(min_length=1)]
    deployment: str | None = None
    slot: Name = CHAMPION
    id: Identity | None = None
    score: float | dict[Name, float] | None = None
    predicted: str | float | bool | None = None
    latency_ms: Annotated[float, msgspec.Meta(ge=0)] | None = None
    status: Annotated[str, msgspec.Meta(max_length=100)] | None = None
    segments: dict[Name, Value] | None = None
    at: Moment | None = None


class _Label(msgspec.Struct, forbid_unknown_fields=True):
    id: Identity
    value: str | float | bool | None = None
    deployment: str | None = None
    known_at: Moment | None = None
    withdrawn: bool = False


class Doors:
    """The doors of an agent.

    Args:
        tokens: who may tell of what.
        make: gives the Emitter of a deployment, version and slot.
        metrics: count what comes.
        future_ms: how far ahead of now a time may lie.
        now_ms: the clock, ms since 1970.
    """

    def __init__(
        self,
        tokens: Tokens,
        make: Callable[[str, str, str], Emitter],
        metrics: ServingMetrics,
        *,
        future_ms: int,
        now_ms: Callable[[], int],
    ) -> None:
        self._tokens, self._metrics = tokens, metrics
        self._future_ms, self._now_ms = future_ms, now_ms
        self._tellers = Tellers(make)
        self._pairs = Pairs()
        self._turn = asyncio.Lock()
        """Whoever reads a body: one at a time, so that many hold up models no more than one does."""
        self._events, self._labels = msgspec.json.Decoder(_Event), msgspec.json.Decoder(_Label)

    async def events(self, scope: Scope, body: bytes) -> tuple[int, bytes]:
        """Take predictions, a JSON object a line."""
        return await self._lines(scope, body, "events", self._event)

    async def labels(self, scope: Scope, body: bytes) -> tuple[int, bytes]:
        """Take labels, a JSON object a line."""
        return await self._lines(scope, body, "labels", self._label)

    async def cloud(self, scope: Scope, body: bytes) -> tuple[int, bytes]:
        """Take what KServe's logger sends: requests and responses, joined by their ids.

        Its token may stand in the address, `?token=TOKEN`, for the logger sends no header of its own.
        """
        try:
            asked = parse_qs(scope.get("query_string", b"").decode("latin-1"), max_num_fields=MAX_FIELDS)
        except ValueError as error:
            raise bad_request(
                f"the address has more than {MAX_FIELDS} fields; it takes token and version"
            ) from error
        given = asked.get("token", [""])[0] or self._token(scope)
        deployment = self._tokens.deployment(given)
        if len(body) > MAX_PAYLOAD_BYTES:
            raise AnswerError(
                TOO_LARGE, f"the event has {len(body):,} bytes; {MAX_PAYLOAD_BYTES:,} are allowed"
            )
        async with self._turn:
            return await asyncio.to_thread(self._cloud, deployment, asked, scope, body)

    def _cloud(
        self, deployment: str, asked: Mapping[str, list[str]], scope: Scope, body: bytes
    ) -> tuple[int, bytes]:
        pair = self._pairs.take(deployment, scope["headers"], body, time.monotonic())
        try:
            return self._pair(deployment, asked, pair)
        except AnswerError as error:
            if pair is not None and error.retry_after_s is not None:
                # Nothing was taken, and the other half alone is sent again.
                self._pairs.give_back(deployment, pair, time.monotonic())
            raise

    def _pair(self, deployment: str, asked: Mapping[str, list[str]], pair: Pair | None) -> tuple[int, bytes]:
        unpaired = self._pairs.expired(time.monotonic())
        for name, count in unpaired.items():
            self._metrics.door_rows.labels(name, "cloudevents", "unpaired").inc(count)
        if pair is None:
            return _OK, b'{"taken":0}'
        found = rows_of(pair.request, pair.response)
        version = asked.get("version", [""])[0] or found.version or "unknown"
        ids = [_identity(one) for one in found.ids(pair.identity)]
        for what, names in (("feature", found.columns), ("score", found.scores)):
            try:
                check_columns(what, names)
            except Refused as error:
                raise bad_request(
                    f"the event cannot be taken: {one_line(str(error), ERROR_CHARS)}"
                ) from error
        self._tellers.begin()
        self._tellers.of(deployment, version, CHAMPION).log_many(
            found.columns, found.scores or None, ids=ids, status=found.status, predicted=found.predicted
        )
        lost = self._tellers.turned_away()
        if lost >= found.rows:
            raise no_room(found.rows)
        self._count(deployment, "cloudevents", found.rows - lost, lost)
        if lost:
            told = {"taken": found.rows - lost, "refused": lost, "errors": [{"error": lost_rows(lost)}]}
            return _OK, msgspec.json.encode(told)
        return _OK, b'{"taken":%d}' % found.rows

    def close(self, timeout_s: float) -> None:
        """Deliver what is there, and end."""
        self._tellers.close(timeout_s)

    async def _lines(
        self, scope: Scope, body: bytes, door: str, take: Callable[[str, bytes], None]
    ) -> tuple[int, bytes]:
        deployment = self._tokens.deployment(self._token(scope))
        count = body.count(b"\n") + 1
        if count > MAX_LINES:
            raise bad_request(f"the body has {count:,} lines; {MAX_LINES:,} are allowed")
        lines = body.split(b"\n")
        taken, refused = 0, 0
        later: AnswerError | None = None
        errors: list[dict[str, Any]] = []
        async with self._turn:
            self._tellers.begin()
            until_s = time.monotonic() + SLICE_S
            for number, line in enumerate(lines, 1):
                if time.monotonic() > until_s:
                    await asyncio.sleep(0)
                    until_s = time.monotonic() + SLICE_S
                if not line.strip():
                    continue
                try:
                    take(deployment, line)
                    taken += 1
                except (
                    msgspec.MsgspecError,
                    AnswerError,
                    Refused,
                    UnicodeDecodeError,
                    RecursionError,
                ) as error:
                    refused += 1
                    if isinstance(error, AnswerError) and error.retry_after_s is not None:
                        later = error
                    if len(errors) < MAX_ERRORS:
                        errors.append({"line": number, "error": one_line(str(error), ERROR_CHARS)})
            # One of an earlier body may turn out to be invalid meanwhile.
            lost = min(taken, self._tellers.turned_away())
        taken, refused = taken - lost, refused + lost
        self._count(deployment, door, taken, refused)
        if lost:
            later = no_room(lost)
            errors.append({"error": lost_rows(lost)})
        if later is not None and not taken:
            raise later
        told = msgspec.json.encode({"taken": taken, "refused": refused, "errors": errors})
        return BAD_REQUEST if refused and not taken else _OK, told

    def _count(self, deployment: str, door: str, taken: int, refused: int) -> None:
        for outcome, count in (("taken", taken), ("refused", refused)):
            if count:
                self._metrics.door_rows.labels(deployment, door, outcome).inc(count)

    def _event(self, deployment: str, line: bytes) -> None:
        _check_size(len(line))
        event = self._events.decode(line)
        self._fits(deployment, event.deployment, event.at)
        for what in ("features", "score", "segments"):
            names = getattr(event, what)
            if isinstance(names, dict):
                check_columns(what.removesuffix("s"), names)
        if len(line) > MAX_ROW_BYTES // 2:
            scores = event.score if isinstance(event.score, dict) else ()
            _check_size(len(line), names_bytes(event.features, scores))
        facts = {
            name: value
            for name in ("predicted", "latency_ms", "status", "segments", "at")
            if (value := getattr(event, name)) is not None
        }
        if event.id is not None:
            facts["id"] = _identity(event.id)
        self._tellers.of(deployment, event.version, event.slot).log(event.features, event.score, **facts)

    def _label(self, deployment: str, line: bytes) -> None:
        _check_size(len(line))
        label = self._labels.decode(line)
        self._fits(deployment, label.deployment, label.known_at)
        if (label.value is None) != label.withdrawn:
            raise bad_request("a label has a value, or is withdrawn")
        self._tellers.of(deployment, LABELS, CHAMPION).label(
            _identity(label.id), label.value, known_at=label.known_at, withdrawn=label.withdrawn
        )

    def _fits(self, deployment: str, named: str | None, at_ms: int | None) -> None:
        if named not in (None, deployment):
            raise bad_request(f"the token is for {deployment}, and the line for {str(named)[:100]}")
        if at_ms is not None and at_ms > self._now_ms() + self._future_ms:
            raise bad_request(f"its time lies {at_ms - self._now_ms():,} ms ahead")

    @staticmethod
    def _token(scope: Scope) -> str:
        return bearer(next((value for name, value in scope["headers"] if name == b"authorization"), b""))


def _check_size(size: int, names: int = 0) -> None:
    if size + names > MAX_ROW_BYTES:
        more = f", and names of {names:,} stand twice" if names else ""
        raise bad_request(f"the line has {size:,} bytes{more}; {MAX_ROW_BYTES:,} are allowed")


def _identity(given: str | int) -> Any:  # noqa: ANN401 - what an Emitter takes
    """An id as the Emitter takes it: the text of a UUID is that UUID, as in answers of the agent.

    Raises AnswerError for a number of more digits than a text may have.
    """
    if isinstance(given, int) and not -(_MOST_ID // 10) < given < _MOST_ID:
        raise bad_request(f"the id is a number of more than {MAX_ID_DIGITS:,} digits")
    if isinstance(given, str) and len(given) == 36:  # noqa: PLR2004 - as RFC 9562 writes them
        try:
            return UUID(given)
        except ValueError:
            return given
    return given
