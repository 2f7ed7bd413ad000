"""The Emitter: what a serving application holds. No Kafka, no Avro, no waiting."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import time
import uuid
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self, Unpack

import numpy as np
from numpy.typing import NDArray

from driftline.agents.emit import bulk, frames, process
from driftline.agents.emit.intake import Intake
from driftline.agents.emit.kinds import Kinds
from driftline.agents.emit.life import Life
from driftline.agents.emit.options import EmitterOptions, checked
from driftline.agents.emit.producer import producer_options
from driftline.agents.emit.shapes import LOOK, are_light, is_light
from driftline.agents.emit.stats import Stats
from driftline.schemas.settings import Settings

_CLOSE_S: Final = 10.0
_FLOAT32: Final = np.dtype(np.float32)
_FLOAT64: Final = np.dtype(np.float64)


class Emitter:
    """Sends the predictions of one deployment and model version to Kafka, from a thread of its own.

    >>> with Emitter("fraud", "7") as emitter:  # doctest: +SKIP
    ...     key = emitter.log({"amount": 12.5, "country": "NL"}, score=0.93, latency_ms=4.1)
    ...     emitter.label(key, "fraud")

    `log` and `label` never wait and never raise: what cannot be taken is dropped, counted by reason (`stats().dropped`)
    and said once a minute in the log (`driftline.emit`). Nothing is started before the first event, unless `spool_dir`
    holds what an ended life left; a forked process begins anew. At the end of the interpreter open emitters are closed.

    A column is a number or a category by the first value it has (booleans and texts are categories); later values of
    another type are counted as `wrong`, None as null. Numbers travel as float32; integers beyond 2^24 make their
    column float64 from then on.

    Args:
        deployment: name of the deployment; also the Kafka key.
        version: the model version that predicts.
        settings: addresses and credentials (`driftline.schemas.settings.load`); read from the environment by default.
        bootstrap: Kafka's address, over the one of the settings.
        options: all of `EmitterOptions`:

            slot: what the version serves as. instance: a name for this process, by default host and process id.
            epoch: number of a run that may be tried again, with `instance` and without a spool; else a new one a life.
            features: names, in order, of the numbers in numpy rows and arrays.
            columns: `keep` (default), `counters_only` (counted for drift, never archived),
            `hashed` (its SHA-256 travels, keyed by `salt` if given), or
            `drop` (never leaves the process), by feature or segment.
            float64, categorical: names of columns that travel so, whatever their first value.
            buffer_events, buffer_bytes: caps of the memory buffer (100,000 rows, 64 MiB); what is on its way to
                Kafka counts twice in bytes, and what threads and bursts leave to the process counts on, up to 3/4.
            spool_dir, spool_bytes, spool_age_s: where batches go while Kafka is away (None: nowhere), the cap on disk
            (1 GiB), and the age past which they are dropped as `expired` (7 days, the most that readers remember).
            on_full: with a full spool refuse new events (`drop_new`) or lose the oldest (`drop_oldest_spool`).
            batch_rows, linger_s: a batch is sealed at 500 rows (of wide ones fewer), or 0.1 s after its first; calls
            with the same columns share batches.
            stall_s: how long Kafka may be silent before batches go to the spool. heartbeat_s: between two heartbeats.
            compression: `lz4`, `zstd` or `none`. kafka: further options of librdkafka. clock: seconds since 1970.

    Raises:
        EmitterError: an argument is wrong. SettingsError: a setting is.

    """

    def __init__(
        self,
        deployment: str,
        version: str,
        *,
        settings: Settings | None = None,
        bootstrap: str | None = None,
        **options: Unpack[EmitterOptions],
    ) -> None:
        chosen, kafka = checked(deployment, version, options), options.get("kafka")
        self._config, self._prefix, ahead = producer_options(chosen, settings, bootstrap, kafka, os.environ)
        self._options = dataclasses.replace(chosen, future_ms=ahead)
        self._clock = options.get("clock", time.time)
        self._kinds = Kinds(self._options)
        self._intake = Intake(self._options, self._clock)
        self._row32 = self._intake.row_shapes.get(_FLOAT32)
        self._row64 = self._intake.row_shapes.get(_FLOAT64)
        self._life = self._new_life()
        process.enrol(self)

    # Facts are given by name; were they bound to it, filling in those that are absent would cost a tenth of a call.
    def log(
        self,
        features: Mapping[str, Any] | NDArray[Any],
        score: float | Mapping[str, float] | None = None,
        predicted: str | float | None = None,
        latency_ms: float | None = None,
        status: str | None = None,
        segments: Mapping[str, Any] | None = None,
        at: dt.datetime | int | None = None,
        id: str | int | bytes | uuid.UUID | None = None,  # noqa: A002 - what everybody calls it
    ) -> bytes:
        """Record one prediction and return its id, 16 bytes; costs about half a microsecond and never raises.

        Args:
            features: a dict of names and values, which may be changed afterwards; or a one-dimensional numpy array of
                float32 or float64 whose names stand in the option `features`.
            score: a number, then named `score`, or several by name.
            predicted: the class; numbers become texts (1 and 1.0 are "1").
            latency_ms: how long the model took.
            status: outcome of the request.
            segments: values by which figures are split (region, tier).
            at: event time, an aware datetime or an int of ms since 1970 UTC, not past `worker.future_ms` from now.
            id: the application's own id (str or int), kept and hashed to 16 bytes; bytes and UUID stay as they are.

        """
        # Whatever takes more than a comparison stands in a function: a long way to jump makes comparisons slow.
        life = self._life
        shape, door = life.shape, life.door
        rows = door.rows
        if (
            type(features) is dict
            and (at is None and id is None and segments is None)
            and (score is None or type(score) is float or is_light(score))
            and (
                (predicted is None and latency_ms is None and status is None)
                or are_light(predicted, latency_ms, status)
            )
            and len(features) == shape.width
            and len(rows) < door.limit
        ):
            copy, clock = shape.copy, self._clock
            try:
                values = copy(features)
                # The last byte of an id is random: one event in sixteen, and no pattern of the caller's, is looked at.
                key = life.pool.popleft()
                if (key[15] > LOOK or shape.holds_numbers(features)) and (
                    shape.texts is None or shape.holds_little_text(features)
                ):
                    rows.append(
                        (shape, values, clock(), key, score, predicted, latency_ms, status, None, None)
                    )
                    return key
            except KeyboardInterrupt:
                raise
            except BaseException:  # noqa: BLE001, S110 - other keys, no text, no id left, no clock: the long way
                pass
        elif type(features) is np.ndarray and at is None and id is None and segments is None:
            taken = self._log_row(life, features, score, predicted, latency_ms, status)
            if taken is not None:
                return taken
        facts = (predicted, latency_ms, status)
        return self._intake.log(life, features, score, facts, segments, at, id)

    def log_many(
        self,
        columns: bulk.Columns,
        score: Any = None,
        *,
        names: Sequence[str] | None = None,
        wait_s: float = 0.0,
        **facts: Unpack[bulk.Facts],
    ) -> NDArray[np.uint8]:
        """Record many predictions and return their ids, uint8 (rows, 16).

        Args:
            columns: a dict of names and arrays (or lists), or a two-dimensional numpy array (rows, features).
            score: one number a row, or a dict of several.
            names: names of the columns of an array; the option `features` by default.
            wait_s: how long to wait for room in the buffer before rows are dropped; by default not at all.
            facts: `predicted`, `latency_ms`, `status`, `segments`, `at`, `ids`, one value a row (`bulk.Facts`).

        """
        intake, options = self._intake, self._options
        return intake.pour(
            self._life,
            columns,
            lambda: bulk.source_of(columns, names, score, facts, options, intake.now_ms),
            wait_s,
        )

    def log_frame(
        self, frame: Any, *, wait_s: float = 30.0, **roles: Unpack[frames.Roles]
    ) -> NDArray[np.uint8]:
        """Record a pandas or polars DataFrame or an Arrow table or record batch, and return the ids, uint8 (rows, 16).

        Args:
            frame: the rows. In pandas a missing value of a nullable or text column is null; in a float one NaN.
            wait_s: how long to wait, in all, for room in the buffer before rows are dropped.
            roles: names of columns: `score` (one or several), `predicted`, `latency_ms`, `status`, `segments`
                (several), `at`, `id`, `features` (every other column by default).

        """
        intake, options = self._intake, self._options
        return intake.pour(
            self._life, frame, lambda: frames.source_of(frame, roles, options, intake.now_ms), wait_s
        )

    def label(
        self,
        id: str | int | bytes | uuid.UUID,  # noqa: A002 - as above
        value: Any = None,
        *,
        known_at: dt.datetime | int | None = None,
        withdrawn: bool = False,
    ) -> None:
        """Record what turned out to be true of a prediction; never waits, never raises.

        Args:
            id: what `log` returned, or the application's own id that was given to it.
            value: a class (str or bool), or a number; a later label of the same id replaces an earlier one.
            known_at: when it became known, as `at` of `log`; now by default.
            withdrawn: the earlier label was wrong and there is none now; then without a value.

        """
        self._intake.label(self._life, id, value, known_at, withdrawn=withdrawn)

    def label_many(
        self, ids: Sequence[Any] | NDArray[Any], values: Sequence[Any] | NDArray[Any], *, known_at: Any = None
    ) -> None:
        """Record many labels: ids as `log_many` returned them or the application's own, values as for `label`."""
        self._intake.labels(self._life, ids, values, known_at)

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait until everything offered so far is delivered; False when that took longer than `timeout` seconds."""
        return self._life.flush(timeout)

    def stats(self) -> Stats:
        """The books: at each moment enqueued = delivered + dropped + spooled + in_flight."""
        return self._life.stats()

    def close(self, timeout: float = _CLOSE_S) -> None:
        """Deliver what is here, or leave it in the spool, and end; what is offered afterwards is dropped as `closed`.

        What can be neither delivered nor spooled within `timeout` seconds is dropped as `undelivered`.
        """
        self._life.close(timeout)
        process.release(self)

    def begin_anew(self) -> None:
        """In a forked child, called by the fork: nothing of the parent's is used or touched; kinds of columns stay."""
        self._life.forget()
        self._life = self._new_life()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _log_row(
        self, life: Life, features: NDArray[Any], score: Any, predicted: Any, latency_ms: Any, status: Any
    ) -> bytes | None:
        """Record a numpy row of the usual type and length, and nothing of size beside it; None for any other."""
        door = life.door
        # numpy has one object a type of number, so that `is` tells them apart; another object takes the long way.
        dtype = features.dtype
        row = self._row64 if dtype is _FLOAT64 else self._row32 if dtype is _FLOAT32 else None
        if (
            row is None
            or features.ndim != 1
            or features.nbytes != row.row_nbytes
            or len(door.rows) >= door.limit
            or not (score is None or type(score) is float or is_light(score))
            or not are_light(predicted, latency_ms, status)
        ):
            return None
        clock = self._clock
        try:
            key = life.pool.popleft()
            values = features.tobytes()
            door.rows.append((row, values, clock(), key, score, predicted, latency_ms, status, None, None))
        except Exception:  # noqa: BLE001 - no id is left, or the clock raises: the long way
            return None
        return key

    def _new_life(self) -> Life:
        return Life(self._options, self._kinds, self._config, self._prefix, process.holder(self))
