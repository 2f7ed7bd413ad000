"""Scoring: a batch of the champion's events as the challenger answers it. Pure: the model and the clock are arguments.

The batch that comes out is sealed by the one that went in: its instance is made of the other's, with the same epoch and
number. Scoring a batch again, after a crash or because an emitter sent it twice, gives a batch of the same seal, which
every reader that counts skips.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from driftline.agents.serving.package.rows import as_tensors
from driftline.agents.serving.package.tensors import DTYPES, FLOATS, conform
from driftline.agents.serving.worth import hold_texts
from driftline.schemas.number_text import number_text
from driftline.schemas.shapes import Category, Identity, NumericBlock

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from driftline.agents.serving.package.manifest import Manifest
    from driftline.agents.serving.package.model import LoadedModel
    from driftline.schemas.shapes import PredictionColumns

SLOT: Final = "challenger"
CANARY: Final = "canary"
SCORED: Final = ("champion", CANARY)
"""Slots whose answers callers had: each event once, whoever answered it."""
LONGEST_CLASS: Final = 10_000
"""Characters of a class that a package may answer: more is an error of its row, so that the others have their batch."""
_STATUS: Final = ("ok", "error")


def scored(cols: PredictionColumns, deployment: str, version: str) -> PredictionColumns | None:
    """Give the events of a batch that the challenger answers, each of them once; None when there is none.

    Those are events whose answers callers had, and not those that the challenger's own version answered. What a canary
    failed to answer is left out: the champion answered it in the same request.
    """
    if cols.deployment != deployment or cols.slot not in SCORED or cols.model_version == version:
        return None
    if cols.slot != CANARY or cols.status is None:
        return cols
    failed = [code for code, level in enumerate(cols.status.levels) if level not in ("ok", "")]
    kept = ~np.isin(cols.status.codes, failed)
    return _taken(cols, kept) if kept.any() else None


def sealed(identity: Identity | None, version: str) -> Identity | None:
    """Give the seal of the batch that comes of another; None where that has none and may come twice anyway.

    >>> sealed(Identity("here", 1, 5), "2").seq
    5
    """
    if identity is None:
        return None
    name = hashlib.sha256(f"{version}\0{identity.instance}".encode()).hexdigest()[:32]
    return Identity(f"challenger-{name}", identity.epoch, identity.seq)


class Scorer:
    """Answers batches with one package.

    Args:
        manifest: of the package.
        model: loaded from it.
        clock: gives s, for the latency.
        warn: is told, once for each, of a column that the package is asked with and events lack.
    """

    def __init__(
        self,
        manifest: Manifest,
        model: LoadedModel,
        clock: Callable[[], float],
        warn: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._manifest, self._model, self._clock, self._warn = manifest, model, clock, warn
        self._warned: set[tuple[str, str]] = set()
        self._flags = {name for each in manifest.inputs if each.datatype == "BOOL" for name in each.names}
        self._texts = {name for each in manifest.inputs if each.datatype == "BYTES" for name in each.names}
        self._whole = {
            name: DTYPES[each.datatype]
            for each in manifest.inputs
            if each.datatype != "BYTES" and each.datatype not in FLOATS
            for name in each.names
        }

    def answer(self, cols: PredictionColumns) -> PredictionColumns:
        """Give the batch as the challenger answers it: the same ids, times and features, its own scores.

        Rows that lack what the package must have, those of a batch without a column of it, those that it answers with
        NaN or a class past `LONGEST_CLASS`, and all rows when the model raises or answers others than it was asked,
        have the status `error` and no score: what is compared has as many events on either side.
        """
        columns = self._columns(cols)
        usable = self._usable(columns, cols.rows) if columns else np.zeros(cols.rows, np.bool_)
        began = self._clock()
        outputs = self._asked({name: values[usable] for name, values in columns.items()}, int(usable.sum()))
        took_ms = (self._clock() - began) * 1_000 / max(int(usable.sum()), 1)
        answered = usable if outputs is not None else np.zeros(cols.rows, np.bool_)
        if outputs is not None:
            outputs, answered = self._told(outputs, answered)
        return replace(
            cols,
            model_version=self._manifest.version,
            slot=SLOT,
            identity=sealed(cols.identity, self._manifest.version),
            scores=self._scores(outputs, answered),
            predicted=self._predicted(outputs, answered),
            latency_ms=np.where(answered, np.float32(took_ms), np.float32(np.nan)).astype(np.float32),
            status=Category("status", _STATUS, (~answered).astype(np.int32)),
            gaps=[gap for gap in cols.gaps if gap.name in _features(cols)],
        )

    def _columns(self, cols: PredictionColumns) -> dict[str, NDArray[Any]]:
        """The columns that the package is asked with; none where one of them is lacking."""
        held: dict[str, NDArray[Any]] = {
            name: values
            for block in cols.features
            for name, values in zip(block.names, block.values, strict=True)
        }
        for column in cols.categories:
            levels = np.array([*column.levels, None], object)
            held[column.name] = levels[column.codes]
        lacking = next((name for name in self._manifest.columns if name not in held), None)
        if lacking is not None:
            self._warn_once(
                "lacking",
                lacking,
                f"events of deployment {cols.deployment!r} have no column {lacking[:100]!r}, which "
                f"{self._manifest.title} is asked with; they have {', '.join(sorted(held)[:20])}: they are errors",
            )
            return {}
        columns = {
            name: _flags(held[name]) if name in self._flags else held[name] for name in self._manifest.columns
        }
        texts = next(
            (name for name, one in columns.items() if one.dtype.hasobject and name not in self._texts), None
        )
        if texts is not None:
            self._warn_once(
                "texts",
                texts,
                f"events of deployment {cols.deployment!r} have texts in the column {texts[:100]!r}, of which "
                f"{self._manifest.title} takes numbers: they are errors",
            )
            return {}
        return columns

    def _warn_once(self, fault: str, column: str, sentence: str) -> None:
        if (fault, column) not in self._warned:
            self._warned.add((fault, column))
            self._warn(sentence)

    def _usable(self, columns: dict[str, NDArray[Any]], rows: int) -> NDArray[np.bool_]:
        usable = np.ones(rows, np.bool_)
        for name, values in columns.items():
            if name in self._texts:
                usable &= np.array([value is not None for value in values.tolist()], np.bool_)
            elif name in self._whole and values.dtype.kind == "f":
                usable &= _are_whole(values, self._whole[name])
        return usable

    def _asked(self, columns: dict[str, NDArray[Any]], rows: int) -> dict[str, NDArray[Any]] | None:
        """What the model answers; None when there is nothing to ask, it raises, or answers other rows or outputs."""
        if not rows:
            return None
        try:
            outputs = self._model.predict(as_tensors(columns, self._manifest.inputs))
            is_whole = conform("output", outputs, self._manifest.outputs) == rows
            for one in self._manifest.outputs:
                if one.datatype == "BYTES":
                    hold_texts(one.name, outputs[one.name])
        except (Exception, SystemExit):  # noqa: BLE001 - whatever a model raises is an error of its own, counted as such
            return None
        return outputs if is_whole else None

    def _told(
        self, outputs: dict[str, NDArray[Any]], answered: NDArray[np.bool_]
    ) -> tuple[dict[str, NDArray[Any]] | None, NDArray[np.bool_]]:
        """Leave rows out whose score or predicted value no event can hold; None where no row is left."""
        rows = int(answered.sum())
        fit = np.ones(rows, np.bool_)
        for name in {one.output for one in self._manifest.scores} | {self._manifest.predicted}:
            if not name:
                continue
            array = outputs[name].reshape(rows, -1)
            if array.dtype.kind == "f":
                fit &= np.isfinite(array).all(axis=1)
            elif array.dtype.hasobject:
                fit &= np.array([len(text) <= LONGEST_CLASS for text in array[:, 0].tolist()], np.bool_)
        if fit.all():
            return outputs, answered
        left = answered.copy()
        left[answered] = fit
        return {name: array[fit] for name, array in outputs.items()} if fit.any() else None, left

    def _scores(
        self, outputs: dict[str, NDArray[Any]] | None, answered: NDArray[np.bool_]
    ) -> list[NumericBlock]:
        if outputs is None or not self._manifest.scores:
            return []
        values = np.full((len(self._manifest.scores), len(answered)), np.nan)
        for place, score in enumerate(self._manifest.scores):
            array = outputs[score.output]
            values[place, answered] = array.reshape(len(array), -1)[:, score.column]
        return [NumericBlock(tuple(score.name for score in self._manifest.scores), values)]

    def _predicted(
        self, outputs: dict[str, NDArray[Any]] | None, answered: NDArray[np.bool_]
    ) -> Category | None:
        if outputs is None or not self._manifest.predicted:
            return None
        texts = [_text(value) for value in outputs[self._manifest.predicted].reshape(-1).tolist()]
        levels = tuple(dict.fromkeys(texts))
        place = {level: code for code, level in enumerate(levels)}
        codes = np.full(len(answered), -1, np.int32)
        codes[answered] = [place[text] for text in texts]
        return Category("predicted", levels, codes)


def _taken(cols: PredictionColumns, kept: NDArray[np.bool_]) -> PredictionColumns:
    """Give some rows of a batch."""
    if kept.all():
        return cols
    held = cols.original_ids
    return replace(
        cols,
        rows=int(kept.sum()),
        ids=cols.ids[kept],
        original_ids=None if held is None else [held[row] for row in np.flatnonzero(kept).tolist()],
        times_ms=cols.times_ms[kept],
        features=[_block(block, kept) for block in cols.features],
        categories=[replace(column, codes=column.codes[kept]) for column in cols.categories],
        gaps=[
            replace(
                gap,
                nulls=None if gap.nulls is None else gap.nulls[kept],
                wrong=None if gap.wrong is None else gap.wrong[kept],
            )
            for gap in cols.gaps
        ],
        scores=[_block(block, kept) for block in cols.scores],
        predicted=None
        if cols.predicted is None
        else replace(cols.predicted, codes=cols.predicted.codes[kept]),
        segments=[replace(column, codes=column.codes[kept]) for column in cols.segments],
        latency_ms=None if cols.latency_ms is None else cols.latency_ms[kept],
        status=None if cols.status is None else replace(cols.status, codes=cols.status.codes[kept]),
    )


def _flags(values: NDArray[Any]) -> NDArray[Any]:
    """True and false as an Emitter tells of them, `true` and `false`, as numbers; anything else is null."""
    if not values.dtype.hasobject:
        return values
    known = {"true": 1.0, "false": 0.0}
    return np.array([known.get(one, np.nan) for one in values.tolist()])


def _are_whole(values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[np.bool_]:
    """Which numbers a tensor of whole numbers, or of true and false, can take."""
    low, high = (0, 1) if dtype.kind == "b" else (np.iinfo(dtype).min, np.iinfo(dtype).max)
    # The highest whole number of 64 bits is none of a float: what is below the next power of two can be taken.
    found: NDArray[np.bool_] = (values == np.floor(values)) & (values >= low) & (values < float(high) + 1.0)
    return found


def _block(block: NumericBlock, kept: NDArray[np.bool_]) -> NumericBlock:
    values: Any = np.ascontiguousarray(block.values[:, kept])
    return NumericBlock(block.names, values)


def _features(cols: PredictionColumns) -> set[str]:
    names = {name for block in cols.features for name in block.names}
    return names | {column.name for column in cols.categories}


def _text(value: object) -> str:
    """A class as events name it: numbers as numbers are written, whatever their type."""
    if isinstance(value, bool):
        return str(value).lower()
    return number_text(value) if isinstance(value, float) else str(value)
