"""Arrow columns from batches: concatenated, repeated, ragged; a few numpy calls a batch and no Python a row.

A block holds many batches, each with columns of its own. Every function here takes one thing a batch (a text, an array)
with `counts`, the rows of each batch, and gives one Arrow column over all rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from driftline.schemas.shapes import Category

Rows = np.ndarray


class Dictionary:
    """The distinct texts of one column of a block, numbered as they are met."""

    def __init__(self) -> None:
        """Start empty."""
        self._codes: dict[str, int] = {}
        self._maps: dict[Hashable, np.ndarray] = {}

    def code(self, text: str) -> int:
        """Give the number of a text, a new one for a new text."""
        return self._codes.setdefault(text, len(self._codes))

    def recode(self, levels: tuple[str, ...], codes: np.ndarray) -> np.ndarray:
        """Turn codes into `levels` into codes of this dictionary; -1 (null) stays. int32 in and out."""
        held = self._maps.get(levels)
        if held is None:
            # One slot more than levels, so that -1 picks the last, which is -1.
            held = np.full(len(levels) + 1, -1, np.int32)
            held[:-1] = [self.code(level) for level in levels]
            self._maps[levels] = held
        recoded: np.ndarray = held[codes]
        return recoded

    def column(self, codes: np.ndarray) -> pa.DictionaryArray:
        """Give the Arrow column of these codes; -1 is null. Narrow codes: they are a third of a block's bytes."""
        missing = codes < 0
        narrow = codes.astype(np.min_scalar_type(-max(len(self._codes), 1)), copy=False)
        indices = pa.array(narrow, mask=missing if missing.any() else None)
        return pa.DictionaryArray.from_arrays(indices, pa.array(list(self._codes), pa.string()))


def repeated(texts: Sequence[str], counts: Rows) -> pa.DictionaryArray:
    """Give a text column: each batch's text in each of its rows.

    >>> repeated(["a", "b"], np.array([2, 1])).to_pylist()
    ['a', 'a', 'b']
    """
    words = Dictionary()
    return words.column(np.repeat(np.array([words.code(text) for text in texts], np.int32), counts))


def times(values_ms: np.ndarray) -> pa.Array:
    """Give a column of times from int64 milliseconds since 1970, UTC."""
    return pa.array(values_ms.astype("datetime64[ms]"), pa.timestamp("ms", "UTC"))


def ids(parts: Sequence[np.ndarray]) -> pa.Array:
    """Give a column of 16-byte ids from uint8 (rows, 16) arrays."""
    joined = np.ascontiguousarray(np.concatenate(parts)) if parts else np.empty((0, 16), np.uint8)
    return pa.Array.from_buffers(pa.binary(16), len(joined), [None, pa.py_buffer(joined)])


def originals(parts: Sequence[Sequence[str | None] | None], counts: Rows) -> pa.Array:
    """Give the applications' own ids, null where a batch or a row has none."""
    if all(part is None for part in parts):
        return pa.nulls(int(counts.sum()), pa.string())
    columns = [
        pa.nulls(int(count), pa.string()) if part is None else pa.array(part, pa.string())
        for part, count in zip(parts, counts, strict=True)
    ]
    return pa.concat_arrays(columns)


def floats(parts: Sequence[np.ndarray | None], counts: Rows, dtype: type[np.floating]) -> pa.Array:
    """Give a numeric column, null where a batch has no such column or its value is NaN."""
    total = int(counts.sum())
    if all(part is None for part in parts):
        return pa.nulls(total, pa.from_numpy_dtype(np.dtype(dtype)))
    out = np.full(total, np.nan, dtype)
    at = 0
    for part, count in zip(parts, counts, strict=True):
        if part is not None:
            out[at : at + count] = part
        at += int(count)
    return pa.array(out, mask=np.isnan(out))


def categories(parts: Sequence[Category | None], counts: Rows) -> pa.DictionaryArray:
    """Give a text column from one category a batch, null where a batch has none."""
    words = Dictionary()
    codes = np.full(int(counts.sum()), -1, np.int32)
    at = 0
    for part, count in zip(parts, counts, strict=True):
        if part is not None:
            codes[at : at + count] = words.recode(part.levels, part.codes)
        at += int(count)
    return words.column(codes)


def numeric_lists(
    parts: Sequence[Sequence[np.ndarray]], counts: Rows, dtype: type[np.floating]
) -> pa.ListArray:
    """Give an array column: each row's values over the blocks of its batch, each block (columns, rows)."""
    widths = np.array([sum(len(values) for values in part) for part in parts], np.int64)
    flat = np.empty(int((widths * counts).sum()), dtype)
    at = 0
    for part, width, count in zip(parts, widths.tolist(), counts.tolist(), strict=True):
        lying = flat[at : at + width * count].reshape(count, width)
        column = 0
        for values in part:
            lying[:, column : column + len(values)] = values.T
            column += len(values)
        at += width * count
    return pa.ListArray.from_arrays(_offsets(np.repeat(widths, counts)), pa.array(flat))


def text_lists(parts: Sequence[Sequence[Category]], counts: Rows) -> pa.ListArray:
    """Give an array column of texts: each row's values over the categories of its batch."""
    widths = np.array([len(part) for part in parts], np.int64)
    words = Dictionary()
    flat = np.empty(int((widths * counts).sum()), np.int32)
    at = 0
    for part, width, count in zip(parts, widths.tolist(), counts.tolist(), strict=True):
        lying = flat[at : at + width * count].reshape(count, width)
        for column, category in enumerate(part):
            lying[:, column] = words.recode(category.levels, category.codes)
        at += width * count
    return pa.ListArray.from_arrays(_offsets(np.repeat(widths, counts)), words.column(flat))


def named_rows(parts: Sequence[Sequence[tuple[str, np.ndarray]]], counts: Rows) -> pa.ListArray:
    """Give an array column of names: in each row those whose bool mask (rows,) is set there."""
    words = Dictionary()
    lengths, codes = [], []
    for part, count in zip(parts, counts.tolist(), strict=True):
        if not part:
            lengths.append(np.zeros(count, np.int64))
            continue
        masks = np.stack([mask for _, mask in part], axis=1)
        lengths.append(masks.sum(axis=1, dtype=np.int64))
        names = np.array([words.code(name) for name, _ in part], np.int32)
        codes.append(names[np.nonzero(masks)[1]])
    flat = np.concatenate(codes) if codes else np.empty(0, np.int32)
    widths = np.concatenate(lengths) if lengths else np.empty(0, np.int64)
    return pa.ListArray.from_arrays(_offsets(widths), words.column(flat))


def _offsets(widths: np.ndarray) -> pa.Array:
    """Turn the length of each row's list into Arrow's offsets."""
    out = np.zeros(len(widths) + 1, np.int32)
    np.cumsum(widths, out=out[1:])
    return pa.array(out)
