"""CloudEvents of KServe's logger: a request and its response, joined by id, as rows of columns.

Sources: https://github.com/cloudevents/spec, bindings/http-protocol-binding.md; KServe's logger sends the types
`org.kubeflow.serving.inference.request` and `.response` in binary mode, with the payload of v1 or v2 as the body.
"""

from __future__ import annotations

import base64
import math
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from driftline.agents.serving.errors import bad_request
from driftline.agents.serving.tensors import MAX_AXES
from driftline.schemas.names import MAX_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable

REQUEST: Final = "org.kubeflow.serving.inference.request"
RESPONSE: Final = "org.kubeflow.serving.inference.response"
MOST: Final = 10_000
"""Halves that wait for the other."""
MOST_BYTES: Final = 64 << 20
LONGEST_S: Final = 120.0
MAX_ROW_BYTES: Final = 900_000
"""Of names, twice since they stand again under gaps, and texts: with numbers beside them, a row fits a message."""
_STRUCTURED: Final = b"application/cloudevents+json"

Tensors = list[dict[str, Any]]


@dataclass(slots=True)
class _Half:
    kind: str
    body: bytes
    since_s: float


@dataclass(slots=True)
class Rows:
    """What a request and its response say.

    Attributes:
        rows: how many.
        columns, scores: name -> a value a row.
        predicted: a class a row; None where none is told.
        version: as the response calls it.
        status: ok, or error when there are no outputs.
    """

    rows: int
    columns: dict[str, list[Any]]
    scores: dict[str, list[float]] = field(default_factory=dict)
    predicted: list[Any] | None = None
    version: str = ""
    status: str = "ok"

    def ids(self, identity: str) -> list[str]:
        """Ids of the rows, as those of answers of the agent."""
        return [identity] if self.rows == 1 else [f"{identity}/{row}" for row in range(self.rows)]


class Pair(NamedTuple):
    """The payloads of a request and of its response, their id, and the half that waited for the other one."""

    identity: str
    request: bytes
    response: bytes
    waited: _Half


class Pairs:
    """Halves that wait for the other one; the oldest go when there are too many, and are counted."""

    def __init__(self, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._held: OrderedDict[tuple[str, str], _Half] = OrderedDict()
        self._bytes = 0
        self._lost: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._held)

    def take(
        self, deployment: str, headers: Iterable[tuple[bytes, bytes]], body: bytes, now_s: float
    ) -> Pair | None:
        """Take an event.

        Returns:
            The pair, when this is its second half; else None.

        Raises:
            AnswerError: it is no such event.
        """
        kind, identity, payload = _read(headers, body)
        key = (deployment, identity)
        other = self._held.get(key)
        if other is None or other.kind == kind:
            self._drop(key)
            self._hold(key, _Half(kind, payload, now_s))
            return None
        self._drop(key)
        both = (payload, other.body) if kind == REQUEST else (other.body, payload)
        return Pair(identity, *both, other)

    def give_back(self, deployment: str, pair: Pair, now_s: float) -> None:
        """Let the half that waited wait as long again: the other one is sent again."""
        self._hold((deployment, pair.identity), _Half(pair.waited.kind, pair.waited.body, now_s))

    def expired(self, now_s: float) -> dict[str, int]:
        """Let go of those that waited too long; give how many were lost since the last call, by deployment."""
        while self._held:
            key, half = next(iter(self._held.items()))
            if now_s - half.since_s <= LONGEST_S:
                break
            self._lose(key)
        lost, self._lost = dict(self._lost), Counter()
        return lost

    def _hold(self, key: tuple[str, str], half: _Half) -> None:
        self._held[key] = half
        self._bytes += len(half.body)
        while len(self._held) > self._most or self._bytes > self._most_bytes:
            self._lose(next(iter(self._held)))

    def _lose(self, key: tuple[str, str]) -> None:
        self._lost[key[0]] += 1
        self._drop(key)

    def _drop(self, key: tuple[str, str]) -> None:
        held = self._held.pop(key, None)
        if held is not None:
            self._bytes -= len(held.body)


def rows_of(request: bytes, response: bytes) -> Rows:
    """Make rows of the payloads of a request and of its response, of v1 or v2.

    A tensor of one value a row is a column of its name, a wider one columns NAME_0, NAME_1 and so on. Outputs of
    floats are scores, null among them NaN; one output of whole numbers or texts is the predicted class.

    Raises:
        AnswerError: the request is neither, or has no rows.
    """
    asked, told = _object(request, "request"), _object(response, "response")
    if "instances" in asked:
        tensors: Tensors = [{"name": "input", "data": asked["instances"]}]
        outputs: Tensors = (
            [{"name": "prediction", "data": told["predictions"]}] if "predictions" in told else []
        )
    elif "inputs" in asked:
        tensors, outputs = asked["inputs"], told.get("outputs") or []
    else:
        raise bad_request("the request of the event has neither 'inputs' (v2) nor 'instances' (v1)")
    columns = _columns(tensors)
    rows = len(next(iter(columns.values()), []))
    if not rows or any(len(values) != rows for values in columns.values()):
        raise bad_request("the inputs of the event have no rows, or not as many of each")
    version = told.get("model_version")
    made = Rows(rows, columns, version=version[:200] if isinstance(version, str) else "")
    answers = (
        {name: one for name, one in _columns(outputs, math.nan).items() if len(one) == rows}
        if outputs
        else {}
    )
    if not answers:
        made.status = "error"
    classes = []
    for name, values in answers.items():
        if all(isinstance(one, float) for one in values):
            made.scores[name] = values
        else:
            classes.append(values)
    if len(classes) == 1:
        made.predicted = classes[0]
    _check_rows(made, len(request) + len(response))
    return made


def names_bytes(*groups: Iterable[str]) -> int:
    """How many bytes names have."""
    return sum(len(name.encode()) for group in groups for name in group)


def _check_rows(made: Rows, most_text_bytes: int) -> None:
    """Raise AnswerError when a row is more than a message takes: an Emitter would drop it, and not say so here."""
    names = 2 * names_bytes(made.columns, made.scores)
    if names + most_text_bytes <= MAX_ROW_BYTES:
        return
    sizes = [names] * made.rows
    for column in (*made.columns.values(), made.predicted or ()):
        for row, value in enumerate(column):
            if isinstance(value, str):
                sizes[row] += len(value.encode())
    largest = max(sizes)
    if largest > MAX_ROW_BYTES:
        at = sizes.index(largest)
        raise bad_request(
            f"row {at} of the event has {largest:,} bytes of names and texts; {MAX_ROW_BYTES:,} are allowed"
        )


def _read(headers: Iterable[tuple[bytes, bytes]], body: bytes) -> tuple[str, str, bytes]:
    """Type, id and payload of an event, in binary or structured mode."""
    held = dict(headers)
    payload: bytes = body
    if held.get(b"content-type", b"").split(b";")[0].strip().lower() == _STRUCTURED:
        event = _object(body, "event")
        kind, identity = event.get("type"), event.get("id")
        payload = (
            _bytes(event["data_base64"]) if "data_base64" in event else msgspec.json.encode(event.get("data"))
        )
    else:
        kind = held.get(b"ce-type", b"").decode("latin-1")
        identity = held.get(b"ce-id", b"").decode("latin-1")
    if kind not in (REQUEST, RESPONSE):
        raise bad_request(f"the event is of type {str(kind)[:100]!r}; {REQUEST} and {RESPONSE} are taken")
    if not isinstance(identity, str) or not 0 < len(identity) <= 200:  # noqa: PLR2004 - as of requests
        raise bad_request("the event has no id of 1 to 200 characters")
    return kind, identity, payload


def _bytes(data: Any) -> bytes:  # noqa: ANN401 - whatever the JSON holds
    try:
        return base64.b64decode(data, validate=True)
    except (TypeError, ValueError) as error:
        raise bad_request(f"the data_base64 of the event is no base64: {error}") from error


def _object(body: bytes, what: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise bad_request(f"the {what} is no JSON: {error}") from error
    if not isinstance(found, dict):
        raise bad_request(f"the {what} is no JSON object")
    return found


def _columns(tensors: Any, gap: float | None = None) -> dict[str, list[Any]]:  # noqa: ANN401 - whatever the JSON holds
    """Columns by name; `gap` stands for null among floats."""
    columns: dict[str, list[Any]] = {}
    for tensor in tensors if isinstance(tensors, list) else []:
        if not isinstance(tensor, dict) or not isinstance(tensor.get("data"), list):
            raise bad_request("a tensor of the event has no data in JSON; binary ones are not read")
        name = str(tensor.get("name", "input"))[:180] or "input"
        table = _table(tensor, gap)
        for place, values in enumerate(table):
            column = name if len(table) == 1 else f"{name}_{place}"
            if column in columns:
                raise bad_request(f"the event has two columns {column[:100]!r}: name its tensors otherwise")
            columns[column] = values
            if len(columns) > MAX_COLUMNS:
                raise bad_request(f"the event has more than {MAX_COLUMNS:,} columns")
    return columns


def _table(tensor: dict[str, Any], gap: float | None) -> list[list[Any]]:
    """The columns of a tensor; whole numbers among floats are floats, which some servers write without a point."""
    data, shape = tensor["data"], tensor.get("shape")
    rows = [one if isinstance(one, list) else [one] for one in data]
    if isinstance(shape, list) and len(shape) > MAX_AXES:
        # Their product alone would take minutes.
        raise bad_request(f"a tensor of the event has {len(shape):,} axes; {MAX_AXES} are allowed")
    if isinstance(shape, list) and len(shape) > 1 and data and not isinstance(data[0], list):
        width = math.prod(one for one in shape[1:] if isinstance(one, int) and one > 0)
        if isinstance(shape[0], int) and shape[0] * width != len(data):
            raise bad_request(f"a tensor of the event has {len(data):,} values; its shape is {shape!r:.100}")
        rows = (
            [data[at : at + width] for at in range(0, len(data), width)] if 0 < width <= len(data) else rows
        )
    width = len(rows[0]) if rows else 0
    if width > MAX_COLUMNS:
        raise bad_request(f"a tensor of the event has {width:,} columns; {MAX_COLUMNS:,} are allowed")
    if any(len(row) != width for row in rows) or any(
        isinstance(one, list | dict) for row in rows for one in row
    ):
        raise bad_request("a tensor of the event is no table of rows")
    columns = [[row[place] for row in rows] for place in range(width)]
    told = str(tensor.get("datatype") or "")
    values = [one for row in rows for one in row]
    # Outputs that are nothing but null are scores that nobody knows, not classes.
    is_gap = gap is not None and all(one is None for one in values)
    if told.startswith("FP") or (not told and (is_gap or any(isinstance(one, float) for one in values))):
        columns = [[gap if one is None else _as_float(one) for one in column] for column in columns]
    return columns


def _as_float(value: Any) -> Any:  # noqa: ANN401 - as above
    try:
        return float(value) if type(value) is int else value
    except OverflowError as error:
        raise bad_request("a tensor of the event has a whole number that no float takes") from error
