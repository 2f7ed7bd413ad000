"""Profiles: where the work on a partition finds what model versions are measured against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from driftline.schemas.deployment_state import DeploymentState
    from driftline.schemas.profile import Profile
    from driftline.streams.windows.held import PaneKey
    from driftline.streams.windows.layout import Layout


class Profiles(Protocol):
    """Where a shard finds what a model version is measured against, and by which settings."""

    def layout(self, deployment: str, version: str) -> Layout:
        """The layout to count a new window with; one that counts rows and health alone while no profile is known."""

    def layout_of(self, key: PaneKey, digest: str) -> Layout:
        """The layout that an older window was counted with, by the digest of its profile."""

    def profile_of(self, digest: str) -> Profile | None:
        """The profile of that digest, None for the layout without one."""

    def resolutions(self, deployment: str, version: str) -> tuple[str, ...]:
        """The resolutions to fold, a subset of `WIDTHS_MS`, narrowest first."""

    def state(self, deployment: str, at_ms: int) -> DeploymentState:
        """The settings in force at an event time, ms since 1970; the defaults where nobody published any."""
