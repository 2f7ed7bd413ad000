"""Means: what swapping a deployment's models needs of the world."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from driftline.agents.serving.work import Turns

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.agents.serving.fetched import Fetched
    from driftline.schemas.control.command import ModelRef


@dataclass(frozen=True, slots=True)
class Means:
    """What swapping needs of the world.

    Attributes:
        fetch: copies, verifies and tries a package; blocks, and raises DriftlineError.
        free_bytes: memory that a model may still take.
        drain_s: how long the calls of an old generation are waited for, s.
        abandoned: told how many calls are waited for no longer.
        turns: to load, of all deployments of an agent.
    """

    fetch: Callable[[ModelRef], Fetched]
    free_bytes: Callable[[], int]
    drain_s: float = 30.0
    abandoned: Callable[[int], None] = lambda _count: None
    turns: Turns = field(default_factory=Turns)
