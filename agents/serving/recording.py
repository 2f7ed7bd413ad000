"""Recording: predictions as events, through an Emitter for each version and slot; requests are gathered for a moment.

An Emitter takes many rows for little more than one, so that rows wait up to `LINGER_S` here, as columns; memory is
bounded. Arrays are not kept: those of the next request take their memory again, which is warm.
"""

from __future__ import annotations

import logging
from contextlib import suppress
from itertools import repeat
from typing import TYPE_CHECKING, Any, Final, Protocol, Unpack

import numpy as np

from driftline.agents.serving.errors import ServingError
from driftline.agents.serving.package.tensors import DTYPES
from driftline.agents.serving.pieces import PIECE_ROWS, Pieces, Waiting
from driftline.agents.serving.slots import CHAMPION
from driftline.agents.serving.worth import ERROR
from driftline.schemas.ids import ID_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import NDArray

    from driftline.agents.emit.bulk import Columns, Facts
    from driftline.agents.serving.call import Call, Outputs
    from driftline.agents.serving.package.manifest import Manifest
    from driftline.agents.serving.package.tensors import Tensor
    from driftline.agents.serving.slots import Loaded
    from driftline.agents.serving.worth import Status

logger = logging.getLogger(__name__)

LINGER_S: Final = 0.1
MOST_ROWS: Final = 1_024
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


class Gathered:
    """Calls of one version and slot as columns that grow.

    Args:
        manifest: of the version.
        outputs: names of the outputs that events carry; none where calls failed.
    """

    def __init__(self, manifest: Manifest, outputs: Iterable[str]) -> None:
        chosen = frozenset(outputs)
        self.manifest = manifest
        self._inputs = [_Pieces(one) for one in manifest.inputs if one.names]
        self._outputs = [_Pieces(one) for one in manifest.outputs if one.name in chosen]
        self._takes = [(one.name, one.of, one.take) for one in self._inputs]
        self._gives = [(one.name, one.of, one.take) for one in self._outputs]
        self._facts: list[tuple[bytes | str, int, float, str]] = []
        """Id, time, latency and status of each row."""

    def __len__(self) -> int:
        return len(self._facts)

    def add(self, call: Call, outputs: Outputs | None, latency_ms: float, status: Status) -> int:
        """Take the rows of a call and say how many there are; what it raises leaves columns of different lengths."""
        request = call.request
        inputs = request.ask.inputs
        for name, of, take in self._takes:
            take(of(inputs[name]))
        if outputs:
            for name, of, take in self._gives:
                take(of(outputs[name]))
        if call.rows == 1 and not call.is_part and isinstance(status, str):
            self._facts.append((request.own or request.identity, call.at_ms, latency_ms, status))
        else:
            each = repeat(status, call.rows) if isinstance(status, str) else status
            rows = zip(call.row_ids(), each, strict=True)
            self._facts += [(one, call.at_ms, latency_ms, said) for one, said in rows]
        return len(self._facts)

    def emit(self, sink: Sink) -> None:
        """Make events of the rows."""
        manifest, rows = self.manifest, len(self)
        features = self._features()
        ids, at, latency, status = zip(*self._facts, strict=True)
        facts: Facts = {
            "ids": _ids(ids),
            "at": np.array(at, np.int64),
            "latency_ms": np.array(latency),
            "status": list(status),
        }
        segments = {name: features[name] for name in manifest.segments if name in features}
        if segments:
            facts["segments"] = {name: _as_list(values) for name, values in segments.items()}
        outputs = {one.name: one.table(rows) for one in self._outputs}
        score = {
            one.name: _column(outputs[one.output], one.column)
            for one in manifest.scores
            if one.output in outputs
        }
        if manifest.predicted in outputs:
            facts["predicted"] = _classes(outputs[manifest.predicted].reshape(-1))
        if outputs and ERROR in status:
            failed = np.array([said == ERROR for said in status])
            score = {name: _but_of(values, failed) for name, values in score.items()}
            if "predicted" in facts:
                pairs = zip(facts["predicted"], status, strict=True)
                facts["predicted"] = [None if said == ERROR else one for one, said in pairs]
        sink.log_many(features, score or None, **facts)

    def _features(self) -> dict[str, Any]:
        """The columns by name."""
        features: dict[str, Any] = {}
        for one in self._inputs:
            table = one.table(len(self))
            for place, name in enumerate(one.names):
                values = _column(table, place)
                features[name] = values.tolist() if values.dtype.kind in "Ob" else values
        return features


class _Pieces:
    """A tensor of many calls: the bytes of each, or its texts."""

    __slots__ = ("_dtype", "_held", "name", "names", "of", "take")

    def __init__(self, tensor: Tensor) -> None:
        self.name, self.names, self._dtype = tensor.name, tensor.names, DTYPES[tensor.datatype]
        self._held: list[Any] = []
        self.take: Callable[[Any], None] = self._held.append
        self.of: Callable[[NDArray[Any]], Any] = (
            np.ndarray.flatten if tensor.datatype == "BYTES" else np.ndarray.tobytes
        )

    def table(self, rows: int) -> NDArray[Any]:
        """Its elements, a row each."""
        if self._dtype.hasobject:
            return np.concatenate(self._held).reshape(rows, -1)
        return np.frombuffer(b"".join(self._held), self._dtype).reshape(rows, -1)


class Recorder:
    """Gathers calls and hands them on.

    Args:
        make: gives the Emitter of a version and slot.
        unrecorded: told how many rows of a deployment could not be made events.
    """

    def __init__(self, make: Callable[[Key, Manifest], Sink], unrecorded: Callable[[str, int], None]) -> None:
        self._make, self._unrecorded = make, unrecorded
        self._sinks: dict[Key, Sink] = {}
        self._answered: dict[Key, Gathered] = {}
        self._failed: dict[Key, Gathered] = {}
        """Rows with an answer have scores, the others have none: an Emitter takes one or the other."""
        self._large: Final = Waiting(self._record)
        self._lost: set[Key] = set()
        """Of what rows were lost already: the first time is told with its reason, all are counted."""

    def record(self, key: Key, call: Call, outputs: Outputs | None, seconds: float, status: Status) -> None:
        """Take a call of a deployment, version and slot; never raises and never waits.

        One of more than `PIECE_ROWS` rows is told in pieces, by the event loop that runs.
        """
        if call.rows > PIECE_ROWS:
            self._large.take(Pieces(key, call, outputs, seconds, status))
        else:
            self._record(key, call, outputs, seconds, status)

    async def caught_up(self) -> None:
        """Wait until the calls of many rows that came are told: whoever sends them goes on no faster than that."""
        await self._large.ended()

    def _record(self, key: Key, call: Call, outputs: Outputs | None, seconds: float, status: Status) -> None:
        waiting = self._answered if outputs else self._failed
        gathered = waiting.get(key)
        if gathered is None:
            gathered = waiting[key] = _gathered(call.loaded.manifest, has_outputs=bool(outputs))
        try:
            rows = gathered.add(call, outputs, seconds * 1000, status)
        except Exception as error:  # noqa: BLE001 - as below
            del waiting[key]
            self._lose(key, len(gathered) + call.rows, error)
            return
        if rows >= MOST_ROWS:
            self._hand_on(key, waiting.pop(key))

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
        for waiting in (self._answered, self._failed):
            while waiting:
                self._hand_on(*waiting.popitem())

    def idle(self, in_use: set[tuple[str, str]]) -> list[Sink]:
        """Give the Emitters of versions that serve no more, to be closed by whoever may wait; they are forgotten.

        Those of which calls wait in pieces are given the next time.
        """
        self.flush()
        self._lost = {key for key in self._lost if key[:2] in in_use}
        waiting = self._large.keys
        gone = [key for key in self._sinks if key[:2] not in in_use and key not in waiting]
        return [self._sinks.pop(key) for key in gone]

    def close(self, timeout_s: float) -> None:
        """Hand on what waits and close every Emitter; what waits in pieces is to be told before, by the loop."""
        self.flush()
        while self._sinks:
            self._sinks.popitem()[1].close(timeout_s)

    def _hand_on(self, key: Key, gathered: Gathered) -> None:
        try:
            gathered.emit(self._sinks.get(key) or self._opened(key, gathered.manifest))
        except Exception as error:  # noqa: BLE001 - a prediction was answered; that it could not be told is counted
            self._lose(key, len(gathered), error)

    def _lose(self, key: Key, rows: int, error: Exception) -> None:
        self._unrecorded(key[0], rows)
        if key not in self._lost:
            self._lost.add(key)
            deployment, version, slot = key
            what = f"predictions of {deployment}, version {version}, {slot}"
            logger.warning("%s become no events, and are counted alone from here on: %.300s", what, error)

    def _opened(self, key: Key, manifest: Manifest) -> Sink:
        sink = self._sinks[key] = self._make(key, manifest)
        return sink


def _gathered(manifest: Manifest, *, has_outputs: bool) -> Gathered:
    names = dict.fromkeys([*(one.output for one in manifest.scores), manifest.predicted])
    return Gathered(manifest, [name for name in names if name] if has_outputs else [])


def _ids(ids: Sequence[bytes | str]) -> Any:  # noqa: ANN401 - as an Emitter takes them
    """Ids that the agent made as an array of bytes; others one by one."""
    if all(type(one) is bytes for one in ids):
        return np.frombuffer(b"".join(ids), np.uint8).reshape(-1, ID_BYTES)  # type: ignore[arg-type]
    return list(ids)


def _classes(values: NDArray[Any]) -> list[Any]:
    """Classes as an Emitter takes them fastest: whole numbers as their texts, of which there are few."""
    if values.dtype.kind not in "iu":
        return list(values.tolist())
    texts = {value: str(value) for value in np.unique(values).tolist()}
    return [texts[value] for value in values.tolist()]


def _but_of(values: NDArray[Any], failed: NDArray[np.bool_]) -> NDArray[Any]:
    """Scores with none in rows that are errors, whatever the model put there."""
    kind = values.dtype if values.dtype.kind == "f" else np.dtype(np.float64)
    return np.where(failed, kind.type(np.nan), values.astype(kind, copy=False))


def _column(table: NDArray[Any], place: int) -> NDArray[Any]:
    return table[:, place if table.shape[1] > 1 else 0]


def _as_list(values: Any) -> list[Any]:  # noqa: ANN401 - a list or an array
    return list(values.tolist() if isinstance(values, np.ndarray) else values)
