"""Rows that a model is asked with while it is packed: columns of a table, or tensors of a file, made what it takes."""

from __future__ import annotations

import json
import zipfile
import zlib
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from driftline.agents.serving.package.errors import PackageError
from driftline.agents.serving.package.tensors import ANY, DTYPES, FLOATS, Tensor
from driftline.schemas.whole import read_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

Rows: TypeAlias = "Mapping[str, NDArray[Any]]"
"""Name of a column, or of a tensor -> its values, a row each."""

MAX_ROWS: Final = 1_000
"""That a model is asked with; of more, every n-th."""
_MAX_FILE_BYTES: Final = 256 << 20
_INPUT: Final = "input"
_ZIPPED: Final = (zipfile.BadZipFile, EOFError, RuntimeError, NotImplementedError, zlib.error)
"""What a file raises that is damaged, cut, encrypted, or packed in a way that nobody knows."""


def read_rows(path: Path) -> Rows:
    """Read a file of tensors: `.npz`, or the JSON of a v2 request.

    Raises:
        PackageError: it cannot be read, is larger than 256 MiB, or is neither.
    """
    try:
        if path.stat().st_size > _MAX_FILE_BYTES:
            raise PackageError(f"the rows {path} are larger than {_MAX_FILE_BYTES:,} bytes: give fewer")
        if path.suffix == ".npz" and path.is_file():
            return _arrays(path)
        asked = json.loads(read_whole(path, _MAX_FILE_BYTES))
        return {each["name"]: _told(each) for each in asked["inputs"]}
    except OSError as error:
        raise PackageError(f"the rows {path} cannot be read: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, RecursionError, *_ZIPPED) as error:
        raise PackageError(
            f"the rows {path} are neither an .npz of arrays nor the JSON of a v2 request: {error}"
        ) from error


def _told(each: Mapping[str, Any]) -> NDArray[Any]:
    """A tensor of a v2 request, as the type that it says; PackageError where its values are not of it."""
    datatype = each.get("datatype")
    # Among numbers that numpy would write as texts, texts are told from them.
    kind = object if datatype == "BYTES" else None
    values = np.asarray(each["data"], kind).reshape(each["shape"])
    if not isinstance(each["name"], str):
        raise PackageError(f"the rows name a tensor {each['name']!r:.40}, which is no text")
    if datatype is None:
        return values
    if datatype not in DTYPES:
        raise PackageError(
            f"the rows say that {each['name']!r} is {datatype!r:.40}; there are {', '.join(DTYPES)}"
        )
    return _cast(each["name"], values, datatype, "the file says")


def _arrays(path: Path) -> Rows:
    """The arrays of an .npz; none of what is packed in it is larger than it may be, nor all of it together."""
    with zipfile.ZipFile(path) as members:
        if sum(one.file_size for one in members.infolist()) > _MAX_FILE_BYTES:
            raise PackageError(f"the rows {path} unpack to more than {_MAX_FILE_BYTES:,} bytes: give fewer")
    with np.load(path, allow_pickle=False) as held:
        found = {name: held[name] for name in held.files}
    for name, array in found.items():
        if not isinstance(array, np.ndarray):
            raise PackageError(f"the rows {path} hold {name!r}, which is no array: leave it out")
    return found


def thinned(rows: Rows, most: int) -> Rows:
    """Give at most so many rows, evenly apart."""
    count = count_of(rows)
    if count <= most:
        return rows
    chosen = np.linspace(0, count - 1, most).astype(np.int64)
    return {name: array[chosen] for name, array in rows.items()}


def count_of(rows: Rows) -> int:
    """How many rows there are; raises PackageError when there are none, or columns differ."""
    counts = {len(array) for array in rows.values()}
    if len(counts) != 1 or not min(counts):
        raise PackageError(
            f"the columns of the rows have {sorted(counts)} rows; give as many of each, and at least one"
        )
    return counts.pop()


def inputs_of(names: Sequence[str], rows: Rows) -> tuple[Tensor, ...]:
    """Give the inputs of an estimator that learnt from these columns: a matrix of numbers, or a tensor a column.

    Args:
        names: of its columns, in order; empty takes what the rows have.
        rows: columns by name, or one matrix.

    Raises:
        PackageError: the rows lack a column.
    """
    matrix = next(iter(rows.values())) if len(rows) == 1 else None
    if matrix is not None and matrix.ndim == 2 and matrix.dtype.kind in "fiub":  # noqa: PLR2004 - a matrix
        return (Tensor(name=_INPUT, datatype="FP64", shape=(-1, matrix.shape[1]), columns=tuple(names)),)
    wanted = tuple(names) or tuple(rows)
    for name in wanted:
        if name not in rows:
            raise PackageError(f"the rows lack the column {name!r}; they have {', '.join(list(rows)[:20])}")
    if all(rows[name].dtype.kind in "fiub" for name in wanted):
        return (Tensor(name=_INPUT, datatype="FP64", shape=(-1, len(wanted)), columns=wanted),)
    return tuple(
        Tensor(name=name, datatype="FP64" if rows[name].dtype.kind in "fiub" else "BYTES", shape=(-1, 1))
        for name in wanted
    )


def as_tensors(rows: Rows, inputs: Sequence[Tensor]) -> dict[str, NDArray[Any]]:
    """Make rows what a model takes: each tensor from the array of its name, or from its columns.

    Raises:
        PackageError: a column is lacking, or its values are not of the tensor's type.
    """
    return {tensor.name: _tensor(rows, tensor, alone=len(inputs) == 1) for tensor in inputs}


def _tensor(rows: Rows, tensor: Tensor, *, alone: bool) -> NDArray[Any]:
    given = rows.get(tensor.name)
    if given is None and alone and len(rows) == 1:
        only = next(iter(rows.values()))
        given = only if only.ndim == len(tensor.shape) else None
    if given is not None:
        return _shaped(_cast(tensor.name, given, tensor.datatype), tensor)
    for name in tensor.columns:
        if name not in rows:
            raise PackageError(f"the rows lack the column {name!r}; they have {', '.join(list(rows)[:20])}")
    if not tensor.columns:
        raise PackageError(
            f"the rows lack the input {tensor.name!r} {list(tensor.shape)}; name the columns of a matrix with "
            "columns = [...], or give its values under that name"
        )
    return np.stack([_cast(name, rows[name], tensor.datatype) for name in tensor.columns], axis=1)


def _cast(name: str, values: NDArray[Any], datatype: str, who: str = "the model takes") -> NDArray[Any]:
    """Values as the type of a tensor, none of them changed but by rounding of floats."""
    dtype = DTYPES[datatype]
    if datatype == "BYTES":
        texts = values.astype(object)
        for row, value in enumerate(texts.ravel().tolist()):
            if not isinstance(value, str):
                raise PackageError(
                    f"row {row} of {name!r} is {value!r:.60}, and {who} texts there: give other rows"
                )
        return texts
    if values.dtype.kind not in "fiub":
        raise PackageError(f"{name!r} holds {values.dtype}, and {who} {datatype} there")
    with np.errstate(invalid="ignore", over="ignore"):
        cast = values.astype(dtype)
    whole = values.astype(np.float64)
    if datatype in FLOATS:
        is_lost = bool((np.isinf(cast) & np.isfinite(whole)).any())
    else:
        is_lost = not np.array_equal(cast.astype(np.float64), whole)
    if is_lost:
        raise PackageError(f"{name!r} holds values that {datatype} cannot take, which {who} there")
    return cast


def _shaped(values: NDArray[Any], tensor: Tensor) -> NDArray[Any]:
    if len(tensor.shape) == values.ndim + 1 and tensor.shape[-1] in (1, ANY):
        values = values[..., np.newaxis]
    elif len(tensor.shape) == values.ndim - 1 and values.shape[-1] == 1:
        values = values[..., 0]
    if not tensor.takes(values.shape):
        raise PackageError(
            f"the rows have shape {list(values.shape)} for the input {tensor.name!r}, which has {list(tensor.shape)}"
        )
    return values
