"""Recent: the names of the last edges that were told, so that one which a crash sent twice is told once."""

from __future__ import annotations

from typing import Final

MOST: Final = 20_000


class Recent:
    """The last names, at most `MOST`.

    >>> names = Recent()
    >>> names.add("a")
    >>> "a" in names, "b" in names
    (True, False)
    """

    def __init__(self) -> None:
        self._names: dict[str, None] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def add(self, name: str) -> None:
        """Remember a name; the oldest is forgotten at the bound."""
        self._names[name] = None
        if len(self._names) > MOST:
            del self._names[next(iter(self._names))]
