"""Numbers as levels and classes: how a number is written where a text is told from another."""

from __future__ import annotations

from typing import Final

_LONGEST_WHOLE: Final = 1e15


def number_text(number: float) -> str:
    """Write a number as a level: 1 and 1.0 are one level.

    >>> number_text(1.0), number_text(0.5), number_text(1e15)
    ('1', '0.5', '1000000000000000.0')
    """
    return str(int(number)) if number.is_integer() and abs(number) < _LONGEST_WHOLE else repr(number)
