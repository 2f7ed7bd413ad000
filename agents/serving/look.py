"""Look: arrays held against the tensors that they are to be, at the cost of a few comparisons when all is well."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftline.agents.serving.package.tensors import ANY, DTYPES, conform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from driftline.agents.serving.package.tensors import Tensor


class Look:
    """What `conform` says, faster.

    Args:
        what: "input" or "output", for the sentence.
        tensors: what is wanted.
    """

    __slots__ = ("_count", "_tensors", "_wanted", "_what")

    def __init__(self, what: str, tensors: Sequence[Tensor]) -> None:
        self._what, self._tensors, self._count = what, tuple(tensors), len(tensors)
        # Tensors whose rows alone may be many are told by their type and their other axes.
        self._wanted: tuple[tuple[str, np.dtype[Any], tuple[int, ...]], ...] | None = None
        if all(tensor.shape[0] == ANY and ANY not in tensor.shape[1:] for tensor in tensors):
            self._wanted = tuple((one.name, DTYPES[one.datatype], one.shape[1:]) for one in tensors)

    def rows(self, arrays: Mapping[str, NDArray[Any]]) -> int:
        """Give how many rows there are; raises InputError as `conform` does."""
        if self._wanted is not None and len(arrays) == self._count:
            rows = -1
            for name, dtype, rest in self._wanted:
                array = arrays.get(name)
                if array is None or array.dtype != dtype or array.shape[1:] != rest:
                    break
                if rows not in (-1, len(array)):
                    break
                rows = len(array)
            else:
                return rows
        return conform(self._what, arrays, self._tensors)
