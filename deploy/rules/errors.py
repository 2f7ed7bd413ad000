"""Errors of rules, each one sentence."""

from __future__ import annotations

from driftline.schemas.errors import DriftlineError


class RulesError(DriftlineError):
    """Rules or routes that cannot be built as they were asked for."""
