"""Recording: predictions as events, through an Emitter for each version and slot; requests are gathered for a moment.

An Emitter takes many rows for little more than one, so that rows wait up to `LINGER_S` here; memory is bounded.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, Unpack

import numpy as np

from driftline.agents.serving.errors import ServingError
from driftline.agents.serving.slots import CHAMPION

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from driftline.agents.emit.bulk import Columns, Facts
    from driftline.agents.serving.package.manifest import Manifest
    from driftline.agents.serving.slots import Loaded

LINGER_S: Final = 0.02
MOST_ROWS: Final = 4_096
"""That wait here, of one version and slot; more are handed on at once."""

Key = tuple[str, str, str]
"""Deployment, version, slot."""


class Sink(Protocol):
    """Where rows go: an Emitter."""

    def log_many(
        self,
        columns: Columns,
        score: Any = None,  # noqa: ANN401 - as the Emitter has it
        **facts: Unpack[Facts],
    ) -> object:
        """Record rows."""
        ...

    def close(self, timeout: float = ...) -> None:
        """Deliver what is there, and end."""
        ...


@dataclass(slots=True)
class Call:
    """One model call, as it is recorded.

    Attributes:
        identity: of the request, as the caller knows it; `row_ids` says what its rows are called.
        own: the id of the one row, where the agent made it.
        inputs, outputs: arrays by name; no outputs where it failed.
        rows: how many.
        at_ms: when, ms since 1970.
        latency_ms: what the model took.
        status: ok, error, timeout.
    """

    identity: str
    own: bytes | None
    inputs: Mapping[str, NDArray[Any]]
    outputs: Mapping[str, NDArray[Any]] | None
    rows: int
    at_ms: int
    latency_ms: float
    status: str

    def row_ids(self) -> list[bytes | str]:
        """Ids of its rows: that of the request for one row, else `ID/0`, `ID/1` and so on."""
        if self.rows == 1:
            return [self.own or self.identity]
        return [f"{self.identity}/{row}" for row in range(self.rows)]


class Recorder:
    """Gathers calls and hands them on.

    Args:
        make: gives the Emitter of a version and slot.
        unrecorded: told how many rows of a deployment could not be made events.
    """

    def __init__(self, make: Callable[[Key, Manifest], Sink], unrecorded: Callable[[str, int], None]) -> None:
        self._make, self._unrecorded = make, unrecorded
        self._sinks: dict[Key, Sink] = {}
        self._waiting: dict[Key, tuple[Manifest, list[Call]]] = {}
        self._rows: dict[Key, int] = {}

    def record(self, key: Key, loaded: Loaded, call: Call) -> None:
        """Take a call of a deployment, version and slot; never raises and never waits."""
        entry = self._waiting.get(key)
        if entry is None:
            entry = self._waiting[key] = (loaded.manifest, [])
        entry[1].append(call)
        rows = self._rows[key] = self._rows.get(key, 0) + call.rows
        if rows >= MOST_ROWS:
            self._hand_on(key)

    @property
    def is_quiet(self) -> bool:
        """Whether no Emitter is open."""
        return not self._sinks

    def open(self, deployment: str, loaded: Loaded) -> None:
        """Open the Emitter of a champion before there is anything to tell; one that cannot be had is tried again."""
        with suppress(ServingError):
            self._opened((deployment, loaded.version, CHAMPION), loaded.manifest)

    def flush(self) -> None:
        """Hand everything on that waits."""
        for key in [key for key, (_, calls) in self._waiting.items() if calls]:
            self._hand_on(key)

    def idle(self, in_use: set[tuple[str, str]]) -> list[Sink]:
        """Give the Emitters of versions that serve no more, to be closed by whoever may wait; they are forgotten."""
        self.flush()
        gone = [key for key in self._sinks if key[:2] not in in_use]
        for key in gone:
            self._waiting.pop(key, None)
            self._rows.pop(key, None)
        return [self._sinks.pop(key) for key in gone]

    def close(self, timeout_s: float) -> None:
        """Hand on what waits and close every Emitter."""
        for sink in self.idle(set()):
            sink.close(timeout_s)

    def _hand_on(self, key: Key) -> None:
        manifest, calls = self._waiting[key]
        rows, self._rows[key] = self._rows[key], 0
        self._waiting[key] = (manifest, [])
        try:
            sink = self._sinks.get(key) or self._opened(key, manifest)
            # Rows with an answer have scores, the others have none: an Emitter takes one or the other.
            for part in ([one for one in calls if one.outputs], [one for one in calls if not one.outputs]):
                if part:
                    emit(sink, manifest, part)
        except Exception:  # noqa: BLE001 - a prediction was answered; that it could not be told is counted
            self._unrecorded(key[0], rows)

    def _opened(self, key: Key, manifest: Manifest) -> Sink:
        sink = self._sinks[key] = self._make(key, manifest)
        return sink


def emit(sink: Sink, manifest: Manifest, calls: list[Call]) -> None:
    """Make events of calls that all have outputs, or all have none."""
    features = columns_of(manifest, calls)
    facts: Facts = {
        "ids": [one for call in calls for one in call.row_ids()],
        "at": np.repeat([call.at_ms for call in calls], [call.rows for call in calls]),
        "latency_ms": np.repeat([call.latency_ms for call in calls], [call.rows for call in calls]),
        "status": [call.status for call in calls for _ in range(call.rows)],
    }
    segments = {name: features[name] for name in manifest.segments if name in features}
    if segments:
        facts["segments"] = {name: _as_texts(values) for name, values in segments.items()}
    score = None
    if calls[0].outputs:
        score = {
            each.name: _column(_joined([_output(call, each.output) for call in calls]), each.column)
            for each in manifest.scores
        } or None
        if manifest.predicted:
            predicted = _joined([_output(call, manifest.predicted) for call in calls])
            facts["predicted"] = _as_texts(predicted.reshape(-1))
    sink.log_many(features, score, **facts)


def columns_of(manifest: Manifest, calls: list[Call]) -> dict[str, Any]:
    """Give the columns of the rows by name, those of all calls one after another."""
    columns: dict[str, Any] = {}
    for tensor in manifest.inputs:
        if tensor.names:
            array = _joined([call.inputs[tensor.name] for call in calls])
            for place, name in enumerate(tensor.names):
                values = _column(array, place)
                columns[name] = values.tolist() if values.dtype.kind in "Ob" else values
    return columns


def _output(call: Call, name: str) -> NDArray[Any]:
    assert call.outputs is not None  # noqa: S101 - `emit` is given calls of one kind
    return call.outputs[name]


def _joined(arrays: list[NDArray[Any]]) -> NDArray[Any]:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _column(array: NDArray[Any], place: int) -> NDArray[Any]:
    return array if array.ndim == 1 else array.reshape(len(array), -1)[:, place]


def _as_texts(values: Any) -> list[Any]:  # noqa: ANN401 - a list or an array
    return list(values.tolist() if isinstance(values, np.ndarray) else values)
