"""Errors of the controller that a person sees: one sentence each."""

from __future__ import annotations

from driftline.schemas.errors import DriftlineError


class ControllerError(DriftlineError):
    """A controller that cannot begin, or must not go on."""
