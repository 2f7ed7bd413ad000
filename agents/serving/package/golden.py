"""Golden rows: a few questions with the answers that the model gave when it was packed, and how far one may be off."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Final

import msgspec
import numpy as np

from driftline.agents.serving.package.errors import BrokenPackageError, InputError
from driftline.agents.serving.package.tensors import DTYPES, FLOATS, Datatype, Tensor, conform, datatype_of
from driftline.schemas.deployment import Name as Label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

Arrays = dict[str, "NDArray[Any]"]

MAX_BYTES: Final = 8 << 20
_NOT_FINITE: Final = ("nan", "inf", "-inf")
MAX_ROWS: Final = 100
"""Rows that `pack` keeps, of those it is given."""


class _Data(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A tensor as the protocol writes it in JSON, row after row; nan, inf and -inf are texts."""

    name: Label
    datatype: Datatype
    shape: Annotated[tuple[int, ...], msgspec.Meta(max_length=8)]
    data: list[float | int | bool | str]


class _Rows(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    inputs: list[_Data]
    outputs: list[_Data]


@dataclass(frozen=True, slots=True)
class GoldenRows:
    """Questions and answers: input and output tensors by name, with the same number of rows."""

    inputs: Arrays
    outputs: Arrays

    def to_bytes(self) -> bytes:
        """Give the JSON of it."""
        return msgspec.json.encode(_Rows(inputs=_written(self.inputs), outputs=_written(self.outputs)))


@dataclass(frozen=True, slots=True)
class Difference:
    """Where answers are off the most.

    Attributes:
        output: name of the tensor.
        row: from 0.
        by: how far apart; None for what is no number, or no number of the same kind.
        allowed: how far it might be.
        expected, found: as texts.
    """

    output: str
    row: int
    by: float | None
    allowed: float
    expected: str
    found: str

    def __str__(self) -> str:
        """The difference as the end of a sentence."""
        where = f"{self.output!r} differs in row {self.row}: {self.found} where {self.expected} is expected"
        return (
            where if self.by is None else f"{where}, off by {self.by:.3g}, and {self.allowed:.3g} is allowed"
        )


def read(data: bytes, inputs: Sequence[Tensor], outputs: Sequence[Tensor]) -> GoldenRows:
    """Read what `GoldenRows.to_bytes` wrote, and hold it against the tensors of a manifest.

    Raises:
        BrokenPackageError: it is too large, no such JSON, its tensors are others, or an answer is no finite number.
    """
    if len(data) > MAX_BYTES:
        raise BrokenPackageError(f"the golden rows have {len(data):,} bytes; {MAX_BYTES:,} are allowed")
    try:
        held = msgspec.json.decode(data, type=_Rows)
        found = GoldenRows(_arrays(held.inputs), _arrays(held.outputs))
        rows = (conform("input", found.inputs, inputs), conform("output", found.outputs, outputs))
    except (msgspec.MsgspecError, InputError, ValueError, OverflowError, RecursionError) as error:
        raise BrokenPackageError(f"the golden rows cannot be read: {str(error)[:300]}") from error
    if rows[0] != rows[1] or not rows[0]:
        raise BrokenPackageError(f"the golden rows have {rows[0]} questions and {rows[1]} answers")
    refuse_nan(found.outputs)
    return found


def refuse_nan(outputs: Mapping[str, NDArray[Any]]) -> None:
    """Raise BrokenPackageError when an answer is NaN or infinite: nothing could be compared with it."""
    for name, array in outputs.items():
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            row = int(np.argwhere(~np.isfinite(array))[0][0])
            raise BrokenPackageError(
                f"the answer {name!r} to golden row {row} is NaN or infinite: choose rows that the model can answer"
            )


def difference(
    expected: Mapping[str, NDArray[Any]], found: Mapping[str, NDArray[Any]], *, rtol: float, atol: float
) -> Difference | None:
    """Hold answers against those expected.

    Args:
        expected: finite answers by name.
        found: arrays of the same names, types and shapes.
        rtol: part of the expected number that another one may be off by.
        atol: what it may be off beside that.

    Returns:
        The one that lies furthest beyond what is allowed; None when all lie within.
    """
    worst: tuple[float, Difference] | None = None
    for name, wanted in expected.items():
        excess, at, by, allowed = _furthest(wanted, found[name], rtol, atol)
        if excess > 0 and (worst is None or excess > worst[0]):
            told = Difference(
                output=name,
                row=int(at[0]),
                by=by,
                allowed=allowed,
                expected=_shown(wanted[at]),
                found=_shown(found[name][at]),
            )
            worst = excess, told
    return None if worst is None else worst[1]


def spread(expected: Mapping[str, NDArray[Any]], found: Mapping[str, NDArray[Any]]) -> float:
    """Give the largest distance of two answers that are floats, 0 without any."""
    return max(
        (
            float(np.max(np.abs(wanted.astype(np.float64) - found[name].astype(np.float64))))
            for name, wanted in expected.items()
            if wanted.dtype.kind == "f" and wanted.size
        ),
        default=0.0,
    )


def _furthest(
    wanted: NDArray[Any], found: NDArray[Any], rtol: float, atol: float
) -> tuple[float, tuple[int, ...], float | None, float]:
    """How far beyond the allowed the worst element lies, where, by how much it is off, and what is allowed there."""
    if not wanted.size:
        return 0.0, (0,), None, 0.0
    if wanted.dtype.kind != "f":
        wrong = wanted != found
        at = tuple(int(i) for i in np.argwhere(wrong)[0]) if wrong.any() else (0,)
        return (math.inf if wrong.any() else 0.0), at, None, 0.0
    allowed = atol + rtol * np.abs(wanted.astype(np.float64))
    with np.errstate(invalid="ignore"):
        off = np.abs(wanted.astype(np.float64) - found.astype(np.float64))
    excess = np.where(np.isfinite(off), off - allowed, math.inf)
    at = tuple(int(i) for i in np.unravel_index(int(np.argmax(excess)), excess.shape))
    by = float(off[at]) if np.isfinite(off[at]) else None
    return float(excess[at]), at, by, float(allowed[at])


def _written(arrays: Mapping[str, NDArray[Any]]) -> list[_Data]:
    return [
        _Data(
            name=name,
            datatype=datatype_of(array.dtype),  # type: ignore[arg-type]  # `conform` has let it pass
            shape=array.shape,
            data=[_plain(value) for value in array.ravel().tolist()],
        )
        for name, array in arrays.items()
    ]


def _plain(value: Any) -> Any:  # noqa: ANN401 - an element has any type
    """An element as JSON has it, which knows no NaN and no infinity."""
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _arrays(tensors: Sequence[_Data]) -> Arrays:
    found: Arrays = {}
    for tensor in tensors:
        if tensor.name in found:
            raise ValueError(f"the tensor {tensor.name!r} stands there twice")
        found[tensor.name] = _array(tensor)
    return found


def _array(tensor: _Data) -> NDArray[Any]:
    if any(length < 0 for length in tensor.shape) or math.prod(tensor.shape) != len(tensor.data):
        raise ValueError(
            f"the tensor {tensor.name!r} has {len(tensor.data)} elements for shape {list(tensor.shape)}"
        )
    kinds: tuple[type, ...] = (
        (str,)
        if tensor.datatype == "BYTES"
        else (bool,)
        if tensor.datatype == "BOOL"
        else (float, int, str)
        if tensor.datatype in FLOATS
        else (int,)
    )
    for value in tensor.data:
        if (
            not isinstance(value, kinds)
            or (isinstance(value, bool) and tensor.datatype != "BOOL")
            or (tensor.datatype in FLOATS and isinstance(value, str) and value not in _NOT_FINITE)
        ):
            raise ValueError(
                f"the tensor {tensor.name!r} holds {str(value)[:60]!r}, which is no {tensor.datatype}"
            )
    made: NDArray[Any] = np.empty(len(tensor.data), DTYPES[tensor.datatype])
    made[:] = [float(value) for value in tensor.data] if tensor.datatype in FLOATS else tensor.data
    return made.reshape(tensor.shape)


def _shown(value: Any) -> str:  # noqa: ANN401 - an element has any type
    if isinstance(value, np.floating | float):
        return f"{value:.6g}"
    return repr(value)[:60] if isinstance(value, str) else str(value)
