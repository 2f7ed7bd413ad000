"""Tensor: an input or output of a model, as the Open Inference Protocol v2 names types and shapes.

Source: https://github.com/kserve/open-inference-protocol, specification/protocol/inference_rest.md. The first axis of
every tensor is of rows: each row is one prediction.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, TypeAlias

import msgspec
import numpy as np

from driftline.agents.serving.package.errors import InputError
from driftline.schemas.deployment import Name as Label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

Datatype: TypeAlias = Literal[
    "BOOL",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "FP16",
    "FP32",
    "FP64",
    "BYTES",
]
DTYPES: Final[dict[str, np.dtype[Any]]] = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype(np.uint16),
    "UINT32": np.dtype(np.uint32),
    "UINT64": np.dtype(np.uint64),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
    "BYTES": np.dtype(object),
}
"""The array of each type; that of BYTES holds texts (`str`)."""
FLOATS: Final = ("FP16", "FP32", "FP64")
ANY: Final = -1
"""An axis of any length."""

Axis = Annotated[int, msgspec.Meta(ge=ANY, le=1 << 31)]


class Tensor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One input or output.

    Attributes:
        name: as requests call it.
        datatype: of its elements.
        shape: lengths of its axes, -1 for any; the first one is of rows.
        columns: names of what lies along the second axis of a matrix; empty for others.
    """

    name: Label
    datatype: Datatype
    shape: Annotated[tuple[Axis, ...], msgspec.Meta(min_length=1, max_length=8)]
    columns: tuple[Label, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What its columns are called in events: `columns`, else its own name where it has one value a row.

        A tensor of many values without names, such as an image, has none: no event carries it.
        """
        if self.columns:
            return self.columns
        return (self.name,) if self.shape[1:] in ((), (1,)) else ()

    def takes(self, shape: Sequence[int]) -> bool:
        """Say whether an array of this shape is such a tensor."""
        return len(shape) == len(self.shape) and all(
            wanted in (ANY, given) for wanted, given in zip(self.shape, shape, strict=True)
        )


def alike(tensor: Tensor, other: Tensor) -> bool:
    """Say whether two tensors are of one type, and of shapes that do not contradict each other."""
    return (
        tensor.datatype == other.datatype
        and len(tensor.shape) == len(other.shape)
        and all(ANY in (one, two) or one == two for one, two in zip(tensor.shape, other.shape, strict=True))
    )


def conform(what: str, arrays: Mapping[str, NDArray[Any]], tensors: Sequence[Tensor]) -> int:
    """Hold arrays against the tensors that they are to be.

    Args:
        what: "input" or "output", for the sentence.
        arrays: name -> array.
        tensors: what is wanted: each of them, and nothing else.

    Returns:
        How many rows there are.

    Raises:
        InputError: one is lacking, unknown, of another type or shape, or has more rows than another.
    """
    wanted = {tensor.name: tensor for tensor in tensors}
    for name in arrays:
        if name not in wanted:
            known = ", ".join(list(wanted)[:20])
            raise InputError(f"there is no {what} {name[:200]!r}; there are {known}")
    rows: int | None = None
    for name, tensor in wanted.items():
        if name not in arrays:
            raise InputError(f"the {what} {name!r} is lacking")
        array = arrays[name]
        if array.dtype != DTYPES[tensor.datatype]:
            raise InputError(
                f"the {what} {name!r} is {datatype_of(array.dtype)}; it must be {tensor.datatype}"
            )
        if not tensor.takes(array.shape):
            raise InputError(
                f"the {what} {name!r} has shape {list(array.shape)}; it must be {list(tensor.shape)}"
            )
        if rows is not None and array.shape[0] != rows:
            raise InputError(f"the {what} {name!r} has {array.shape[0]} rows where another has {rows}")
        rows = array.shape[0]
    return rows or 0


def datatype_of(dtype: np.dtype[Any]) -> str:
    """Give the v2 name of a numpy type; numpy's own name for a type that has none."""
    if dtype.kind in "OUS":
        return "BYTES"
    return next((name for name, held in DTYPES.items() if held == dtype), str(dtype))
