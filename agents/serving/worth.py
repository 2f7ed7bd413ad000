"""Worth: whether an answer can be sent to whoever asked, and which of its rows events call `ok`, in every slot."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

from driftline.agents.serving.package.errors import InputError
from driftline.agents.serving.package.tensors import FLOATS
from driftline.agents.serving.tensors import is_finite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from driftline.agents.serving.package.manifest import Manifest
    from driftline.agents.serving.v2 import Ask

Status: TypeAlias = str | list[str]
"""Of a call, or of each of its rows where they differ."""
OK: Final = "ok"
ERROR: Final = "error"


class Worth:
    """Looks at what is asked of a version, and at what it answers.

    Args:
        manifest: of the version.
    """

    __slots__ = ("_floats", "_halves", "_names", "_texts", "_told")

    def __init__(self, manifest: Manifest) -> None:
        outputs = manifest.outputs
        self._names = frozenset(one.name for one in outputs)
        self._halves = tuple(one.name for one in outputs if one.datatype == "FP16")
        self._floats = tuple(one.name for one in outputs if one.datatype in FLOATS)
        self._texts = tuple(one.name for one in outputs if one.datatype == "BYTES")
        self._told = frozenset({*(one.output for one in manifest.scores), manifest.predicted})

    def unaskable(self, ask: Ask) -> str | None:
        """Why no version could answer a request as it is to be answered; None when one can."""
        if ask.wanted is None and not self._halves:
            return None
        for name in ask.wanted or ():
            if name not in self._names:
                return f"there is no output {name[:200]!r}; there are {', '.join(sorted(self._names)[:20])}"
        for name in self._halves:
            if ask.is_json(name):
                return f"the output {name!r} is FP16, which JSON does not carry: ask for it binary"
        return None

    def of(self, ask: Ask, outputs: Mapping[str, NDArray[Any]], rows: int) -> Status:
        """Say what an answer is worth; raises InputError for texts that are none.

        NaN and infinity go out binary and never as JSON, so that one of them there makes the whole an error. In a score
        or a predicted value they make an error of their row, however it goes out: it is no prediction.
        """
        for name in self._texts:
            hold_texts(name, outputs[name])
        told = self._told
        for name in self._floats:
            if (name in told or ask.is_json(name)) and not is_finite(outputs[name]):
                return self._by_rows(ask, outputs, rows)
        return OK

    def _by_rows(self, ask: Ask, outputs: Mapping[str, NDArray[Any]], rows: int) -> Status:
        finite = np.ones(rows, np.bool_)
        for name in self._floats:
            array = outputs[name]
            if ask.is_json(name) and not is_finite(array):
                return ERROR
            if name in self._told:
                finite &= np.isfinite(array.reshape(rows, -1)).all(axis=1)
        return [OK if one else ERROR for one in finite.tolist()] if finite.any() else ERROR


def hold_texts(name: str, array: NDArray[Any]) -> None:
    """Hold an output to be texts that can be written; raises InputError."""
    values = array.ravel().tolist()
    try:
        "".join(values).encode()
    except (TypeError, UnicodeEncodeError) as error:
        raise InputError(f"its answer {name!r} holds what is no text: {error}") from error
    if set(map(type, values)) - {str}:  # those of numpy are written in no JSON
        raise InputError(f"its answer {name!r} holds texts of another kind than str")
