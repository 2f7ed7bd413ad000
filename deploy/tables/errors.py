"""What can be wrong with a table or a mapping, in one sentence, with the nearest name that was meant."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING, Final

from driftline.schemas.errors import DriftlineError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

SHOWN: Final = 12
"""Names that a sentence lists at most."""


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
    shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
    return f"known are {shown}"


def one_of(word: str, known: Collection[str]) -> str:
    """Give the same for what should be one of a few: all of them, of many as `suggestion` does.

    >>> one_of("scroe", ["score", "age"])
    'it is one of score, age'
    """
    return f"it is one of {', '.join(known)}" if len(known) <= SHOWN else suggestion(word, known)


def unknown_deployment(deployment: str, known: Collection[str]) -> str:
    """Give the sentence about a deployment that is none of those known.

    >>> unknown_deployment("chrun", ["churn", "flights"])
    "deployment 'chrun' is not known: it is one of churn, flights"
    """
    there = one_of(deployment, known) if known else "none has sent anything yet"
    return f"deployment {deployment[:200]!r} is not known: {there}"
