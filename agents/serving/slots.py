"""Slots: which loaded versions answer in a deployment, and as what."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from driftline.agents.serving.look import Look
from driftline.agents.serving.pace import Pace
from driftline.agents.serving.routing import goes_to_canary
from driftline.agents.serving.worth import Worth

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.agents.serving.package.manifest import Manifest
    from driftline.agents.serving.package.model import LoadedModel
    from driftline.schemas.control.command import ModelRef

Slot: TypeAlias = Literal["champion", "canary", "shadow"]
CHAMPION: Final = "champion"
CANARY: Final = "canary"
SHADOW: Final = "shadow"


@dataclass(eq=False, slots=True)
class Loaded:
    """A version in memory.

    Attributes:
        ref: its package.
        manifest: as it was signed.
        model: what answers.
        release: lets go of its files; called after the model is closed.
        is_verified: whether its artefact was verified; False behind an upstream server.
        calls: that are under way; it is not closed before there are none.
        pace: how fast it answers.
        is_large: whether an answer of it took the event loop too long to write.
        is_flat: whether it takes floats alone.
        takes, gives: hold arrays against its inputs and outputs.
        worth: looks at what is asked of it and what it answers.
    """

    ref: ModelRef
    manifest: Manifest
    model: LoadedModel
    release: Callable[[], None] = field(default=lambda: None, repr=False)
    is_verified: bool = True
    calls: int = 0
    pace: Pace = field(default_factory=Pace)
    is_large: bool = False
    is_flat: bool = field(init=False, repr=False)
    takes: Look = field(init=False, repr=False)
    gives: Look = field(init=False, repr=False)
    worth: Worth = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.takes = Look("input", self.manifest.inputs)
        self.gives = Look("output", self.manifest.outputs)
        self.worth = Worth(self.manifest)
        self.is_flat = all(one.datatype in ("FP32", "FP64") for one in self.manifest.inputs)

    @property
    def version(self) -> str:
        """As events and answers call it."""
        return self.ref.version


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """Who answers at one revision.

    Attributes:
        revision: of the deployment's state; 0 for a package that is served without one.
        champion: answers all callers but those of the canary.
        previous: stays in memory, so that a rollback changes a pointer.
        canary: answers a share of callers.
        rollout_id, weight: which ones.
        shadows: are asked too, and not heard.
        instead: answers while serving is halted.
        halted: why nothing is served; None while something is.
    """

    revision: int = 0
    champion: Loaded | None = None
    previous: Loaded | None = None
    canary: Loaded | None = None
    rollout_id: str = ""
    weight: int = 0
    shadows: tuple[Loaded, ...] = ()
    instead: Loaded | None = None
    halted: str | None = None

    @property
    def answering(self) -> Loaded | None:
        """What answers callers that go to no canary; None when nothing does."""
        if self.halted is not None:
            return self.instead
        return self.champion

    @property
    def held(self) -> frozenset[Loaded]:
        """All that these slots need in memory."""
        found = (self.champion, self.previous, self.canary, self.instead, *self.shadows)
        return frozenset(one for one in found if one is not None)

    def canary_for(self, key: str) -> Loaded | None:
        """The canary, when this caller goes to it."""
        if self.canary is None or self.halted is not None or not self.weight:
            return None
        return self.canary if goes_to_canary(self.rollout_id, key, self.weight) else None
