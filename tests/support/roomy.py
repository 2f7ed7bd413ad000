"""Short memory: packages with sizes, and what is free beside those in memory."""

from __future__ import annotations

from collections.abc import Callable

from office import Office
from served import Package

from driftline.agents.control.moves import baked


def room(most: int, *packages: Package) -> Callable[[], int]:
    """Return what is free beside the packages in memory, of so many bytes."""
    return lambda: (
        most
        - sum(
            one.memory_bytes * (len(one.made) - sum(made.is_closed.is_set() for made in one.made))
            for one in packages
        )
    )


def world(most: int, **sizes: int) -> tuple[Office, list[Package], Callable[[], int]]:
    """Return an office that knows versions 1, 2 and so on, their packages, and what is free of so many bytes."""
    office = Office("low")
    packages = [Package(name[1:], tier="low", memory_bytes=some) for name, some in sizes.items()]
    for one in packages:
        office.registered(one.version)
    return office, packages, room(most, *packages)


def bakes(office: Office) -> None:
    """Let the bake time end: there is no previous champion any more."""
    office.now_ms = office.state.bake_until_ms + 1
    office.desk.move(baked(office.state, office.desk.at(office.now_ms)), "baked", office.now_ms)
