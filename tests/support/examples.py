"""How many examples of a property are tried: all in `make full`, a third where slow tests are left out."""

from __future__ import annotations

SHARE = 3


class Run:
    """This run of the tests; `conftest` says how long it is."""

    is_short = False


def many(examples: int) -> int:
    """Give how many of so many examples this run tries."""
    return examples // SHARE if Run.is_short else examples
