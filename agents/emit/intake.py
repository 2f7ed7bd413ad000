"""What the Emitter does with all but the common case of `log`: strange events, many rows, labels, what is wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from driftline.agents.emit import bulk, ids
from driftline.agents.emit.assemble import NamedScores, chunks
from driftline.agents.emit.chunk import Chunk
from driftline.agents.emit.door import LABELS, PREDICTIONS
from driftline.agents.emit.errors import BadEvent, cause_of
from driftline.agents.emit.gathering import Loose
from driftline.agents.emit.labels import Label, truth_of
from driftline.agents.emit.life import Life
from driftline.agents.emit.options import Options
from driftline.agents.emit.packed import Packed, Parcel, parcel
from driftline.agents.emit.shapes import Shape, ShapeBook, check_names, text_names
from driftline.agents.emit.values import (
    NO_TIME,
    as_kept,
    as_level,
    as_number,
    fault_ahead,
    pairs_of,
    time_of,
    wall_ms,
)
from driftline.schemas.ahead import latest_ms

# Rows that are copied at once, and bytes of them: a batch is joined from what it needs of such parts.
_PART_ROWS: Final = 8_192
_PART_BYTES: Final = 1 << 18
_NUMBER_BYTES: Final = 8
# The first part shows what rows weigh; one that is so many times too large is cut anew.
_FIRST_ROWS: Final = 512
_HEAVY_PARTS: Final = 4
_WAIT_STEP_S: Final = 0.005
_LABELS_AT_ONCE: Final = 64


class Intake:
    """Takes what the application offers to the door of a life; whatever is wrong with it costs that alone.

    `row_shapes` are the shapes of numpy rows by type of number.
    """

    def __init__(self, options: Options, clock: Callable[[], float]) -> None:
        self.row_shapes: Final = {
            np.dtype(kind): Shape(options.features, options.treatments, kind)
            for kind in (np.float32, np.float64)
            if options.features
        }
        self._options = options
        self._clock = clock
        self._shapes = ShapeBook(options.treatments)

    def now_ms(self) -> int:
        """The time of the emitter's clock."""
        return int(self._clock() * 1000)

    def log(
        self,
        life: Life,
        features: Any,
        score: Any,
        facts: tuple[Any, Any, Any],
        segments: Any,
        at: Any,
        given: Any,
    ) -> bytes:
        """Take one event of any kind; `facts` are predicted class, latency and status."""
        key = b""
        named: tuple[str, ...] = ()
        try:
            key, original = (ids.taken(life.pool, self._clock), None) if given is None else ids.given(given)
            shape, values = self._values(features)
            if isinstance(score, Mapping):
                score = NamedScores(pairs_of("scores", score))
                named = tuple(score)
                check_names("score", named)
                score.update((name, as_number(one)) for name, one in score.items())
            else:
                score = as_number(score)
            # What an object keeps in memory cannot be known: only numbers and texts wait.
            predicted, latency_ms, status = facts
            facts = (as_level(predicted), as_number(latency_ms), as_level(status))
            if segments is not None:
                segments = tuple((name, as_level(one)) for name, one in pairs_of("segments", segments))
                names = tuple(name for name, _ in segments)
                check_names("segment", names)
                named += names
            when = self._clock() if at is None else self._time(at)
            texts = (original, *facts, *(value for _, value in segments or ()))
            size_bytes = shape.heavy_bytes(values, *texts, named=named)
            if shape.texts is not None:
                values = tuple(map(as_kept, values))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the event does, the application goes on
            self._bad(life, PREDICTIONS, 1, error)
            return key or ids.taken(life.pool, time.time)
        if shape.dtype is None:
            life.shape = shape
        if life.door.is_loose:
            self._pack_some(life)
        life.door.add(shape, (shape, values, when, key, score, *facts, segments, original), size_bytes)
        return key

    def pour(
        self, life: Life, columns: Any, source: Callable[[], bulk.Source], wait_s: float
    ) -> NDArray[np.uint8]:
        """Copy the caller's rows part by part as there is room, so that a large table never lies in memory twice."""
        try:
            opened = source()
            deadline_s = time.monotonic() + wait_s
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - whatever the columns do, the application goes on
            return self._bad_rows(life, bulk.rows_in(columns), error)
        part_bytes = min(_PART_BYTES, self._options.buffer_bytes // 16)
        fitting = max(1, part_bytes // (_NUMBER_BYTES * opened.width))
        limit = max(1, min(_PART_ROWS, fitting, self._options.buffer_events // 4))
        most = min(limit, _FIRST_ROWS)
        made: list[NDArray[np.uint8]] = []
        start = 0
        while start < opened.rows:
            rows = min(most, opened.rows - start)
            ready: Parcel | None = None
            try:
                chunk = opened.cut(start, start + rows)
                ready = parcel(chunk)
                fit = max(1, rows * part_bytes // ready.size_bytes)
                most = min(limit, fit)
                if rows > _HEAVY_PARTS * fit:
                    # Long texts: as one part they would lie in memory twice until the last of them is sealed.
                    continue
                timely = self._timely(life, chunk)
                if timely is not chunk:
                    ready = parcel(timely) if timely.rows else None
                made.append(chunk.ids)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - as above
                ready = None
                made.append(self._bad_rows(life, rows, error))
            start += rows
            if ready is not None:
                self._offer(life, ready, deadline_s)
        return np.concatenate(made) if made else np.empty((0, 16), np.uint8)

    def label(self, life: Life, given: Any, value: Any, known_at: Any, *, withdrawn: bool) -> None:
        """Take one label."""
        self._bring(life, self._labelled(life, given, value, known_at, withdrawn=withdrawn))

    def labels(self, life: Life, given: Any, values: Any, known_at: Any) -> None:
        """Take many labels."""
        try:
            keys = [bytes(key) for key in given] if getattr(given, "ndim", 1) > 1 else _listed(given)
            truths = _listed(values)
            times = _listed(known_at) if hasattr(known_at, "__len__") else [known_at] * len(keys)
            rows = list(zip(keys, truths, times, strict=True))
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - as above
            self._bad(life, LABELS, bulk.rows_in(given), error)
            return
        for start in range(0, len(rows), _LABELS_AT_ONCE):
            made: list[Label] = []
            try:
                for key, truth, known in rows[start : start + _LABELS_AT_ONCE]:
                    made += self._labelled(life, key, truth, known, withdrawn=False)
            finally:  # also of those before an interrupt
                self._bring(life, made)

    def _labelled(
        self, life: Life, given: Any, value: Any, known_at: Any, *, withdrawn: bool
    ) -> tuple[Label, ...]:
        """The label that is given; none when something is wrong with it, which is counted and said."""
        try:
            key, original = ids.given(given)
            if withdrawn and value is not None:
                raise BadEvent("the label has a value and is withdrawn; it is one or the other")  # noqa: TRY301
            truth = None if withdrawn else truth_of(value)
            known_ms = self.now_ms() if known_at is None else self._time(known_at)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - as above
            self._bad(life, LABELS, 1, error)
            return ()
        return (Label(key, original, known_ms, truth),)

    def _bring(self, life: Life, labels: Sequence[Label]) -> None:
        """Bring labels to the door."""
        if labels:
            if life.door.is_loose:
                life.door.pack_labels(life.shelf)
            life.door.add_labels(labels)

    def _time(self, given: Any) -> int:
        """The time of one row, ms; raises BadEvent for one that no reader would take."""
        when_ms = time_of(given)
        fault = fault_ahead(when_ms, self._options.future_ms)
        if fault is not None:
            raise BadEvent(fault)
        return when_ms

    def _timely(self, life: Life, chunk: Chunk) -> Chunk:
        """A chunk without the rows whose time no reader would take: they would cost their whole batch there."""
        latest = latest_ms(wall_ms(), self._options.future_ms)
        if not chunk.is_timed or int(chunk.times_ms.max()) <= latest:
            return chunk
        bad = chunk.times_ms > latest
        first_ms = int(chunk.times_ms[bad][0])
        cause = chunk.fault if first_ms == NO_TIME else fault_ahead(first_ms, self._options.future_ms)
        timely = chunk.where(~bad)
        self._bad(life, PREDICTIONS, chunk.rows - timely.rows, BadEvent(cause))
        return timely

    def _offer(self, life: Life, ready: Parcel, deadline_s: float) -> None:
        """Bring rows to the door, once and again until a time (monotonic) while there is no room."""
        last = False
        while not life.door.add_parcel(ready, life.shelf, refuse=last) and not last:
            last = life.door.is_closed or not time.monotonic() < deadline_s  # also for a NaN
            if not last:
                time.sleep(_WAIT_STEP_S)

    def _pack_some(self, life: Life) -> None:
        """Pack some of the single events that wait: the sender is behind, and objects would fill the memory."""
        loose = Loose()
        found: list[Packed] = []
        causes: list[str] = []
        try:
            life.door.take_loose(loose)
            for one in chunks(loose.rows, self._shapes, lambda chunk: parcel(chunk).laid(life.shelf)):
                if isinstance(one, Packed):
                    found.append(one)
                else:
                    causes.append(one)
        finally:
            if loose.rows:
                life.door.packed(loose, found)
        for cause in causes:
            self._say(life, "a prediction", cause)

    def _values(self, features: Any) -> tuple[Shape, Any]:
        """Shape and values of one event, copied; raises BadEvent when it has none."""
        if isinstance(features, Mapping):
            shape = self._shapes.find(features)
            values = shape.take(features)
            shape.weigh(text_names(shape.names, values))
            return shape, values
        if not isinstance(features, np.ndarray):
            raise BadEvent(
                f"the features are of type {type(features).__name__}; give a dict of names and values"
            )
        if not self.row_shapes:
            raise BadEvent("a numpy row has no names; give them to the Emitter as features=(...)")
        if features.dtype.kind not in "fiu":
            raise BadEvent(f"the numpy row is of type {features.dtype}; give numbers, or a dict")
        row = features if features.dtype in self.row_shapes else features.astype(np.float64)
        shape = self.row_shapes[row.dtype]
        if row.shape != (shape.width,):
            raise BadEvent(
                f"the numpy row has the shape {row.shape}; the Emitter's features need ({shape.width},)"
            )
        return shape, row.tobytes()

    def _bad(self, life: Life, topic: str, rows: int, error: BaseException) -> None:
        life.door.refuse(topic, rows, "invalid")
        self._say(life, "a prediction" if topic == PREDICTIONS else "a label", cause_of(error), rows)

    def _say(self, life: Life, what: str, cause: str, rows: int = 1) -> None:
        sentence = f"{what} of {self._options.deployment!r} was dropped as invalid: {cause}"
        life.complaints.say("invalid", sentence, rows=rows)

    def _bad_rows(self, life: Life, rows: int, error: BaseException) -> NDArray[np.uint8]:
        self._bad(life, PREDICTIONS, rows, error)
        return bulk.fresh_ids(rows, int(time.time() * 1000))  # the application's clock may be what is wrong


def _listed(values: Any) -> list[Any]:
    if isinstance(values, np.ndarray) and values.dtype.kind == "M":
        return list(values)
    return values.tolist() if isinstance(values, np.ndarray) else list(values)
