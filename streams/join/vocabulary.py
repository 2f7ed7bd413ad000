"""Vocabulary: the classes that predictions and labels of one deployment name, as small numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from driftline.schemas.shapes import Category

CLASSES_MAX: Final = 1_000
"""Classes told apart in memory; those met later are one, `OTHER`, and are counted as not known."""
NONE: Final = -1
OTHER: Final = -2


@dataclass(slots=True)
class Vocabulary:
    """Texts in the order in which they were met. Codes mean nothing outside this process."""

    texts: list[str] = field(default_factory=list)
    _codes: dict[str, int] = field(default_factory=dict)

    def codes_of(self, column: Category | None, rows: int) -> NDArray[np.int16]:
        """Give the code of each row of a column, `NONE` for null; int16 (rows,)."""
        if column is None:
            return np.full(rows, NONE, np.int16)
        table = np.array([*(self._code(text) for text in column.levels), NONE], np.int16)
        return table[column.codes]

    def _code(self, text: str) -> int:
        code = self._codes.get(text)
        if code is None:
            if len(self.texts) >= CLASSES_MAX:
                return OTHER
            code = self._codes[text] = len(self.texts)
            self.texts.append(text)
        return code
