"""What can be wrong with a table or a mapping, in one sentence, with the nearest name that was meant."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from driftline.schemas.errors import DriftlineError

if TYPE_CHECKING:
    from collections.abc import Iterable


class TableError(DriftlineError):
    """A table or a mapping cannot be used as it stands."""


def suggestion(word: str, known: Iterable[str]) -> str:
    """Give the end of a sentence about an unknown word: the nearest known one, or the known ones themselves.

    >>> suggestion("scroe", ["score", "age"])
    "did you mean 'score'?"
    >>> suggestion("zzz", ["score", "age"])
    'known are score, age'
    """
    names = list(known)
    lowered = {name.lower(): name for name in names}
    near = difflib.get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    if near:
        return f"did you mean {lowered[near[0]]!r}?"
    shown = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")  # noqa: PLR2004
    return f"known are {shown}"
