"""Terms: by what the windows of a model version are counted and judged at some moment of event time."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from driftline.schemas.deployment import DeploymentSettings
    from driftline.streams.join.scheme import Scheme
    from driftline.streams.join.yardstick import Yardstick


class Terms(NamedTuple):
    """What holds for one model version.

    Attributes:
        settings: of the deployment.
        revision: their revision; 0 for the defaults that nobody published.
        scheme: how answers are held against truth; None while no profile is known.
        yardstick: what performance is held against; None for a profile without truth.
    """

    settings: DeploymentSettings
    revision: int = 0
    scheme: Scheme | None = None
    yardstick: Yardstick | None = None

    def horizon_ms(self, observed_ms: int | None) -> int | None:
        """How long labels are waited for, ms: as people declare, else as long as they took so far; None unknown."""
        declared = self.settings.label_horizon_ms
        return observed_ms if declared is None else declared


class Book(Protocol):
    """Where a shard finds by what a version is counted and judged."""

    def terms(self, deployment: str, version: str, at_ms: int) -> Terms:
        """What holds at an event time, ms since 1970."""

    def resolutions(self, deployment: str, version: str) -> tuple[str, ...]:
        """The resolutions to count, narrowest first."""
