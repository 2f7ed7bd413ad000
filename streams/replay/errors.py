"""What keeps a replay from being made, in one sentence."""

from __future__ import annotations

from driftline.schemas.errors import DriftlineError


class ReplayError(DriftlineError):
    """What was asked cannot be counted again."""
