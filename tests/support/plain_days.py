"""A book of deployments that nobody has said anything of: days are counted, and there is no profile."""

from __future__ import annotations

from driftline.schemas.deployment import DeploymentSettings
from driftline.streams.join.terms import Terms


class Book:
    """Days, without a profile."""

    def terms(self, deployment: str, _version: str, _at_ms: int) -> Terms:
        """Give the defaults."""
        return Terms(DeploymentSettings(deployment=deployment))

    def resolutions(self, _deployment: str, _version: str) -> tuple[str, ...]:
        """Count days."""
        return ("1d",)
