"""What can go wrong between a worker and ClickHouse, sorted by what the caller does next."""

from __future__ import annotations

from driftline.schemas.errors import DriftlineError


class ClickHouseError(DriftlineError):
    """ClickHouse answered, and the answer was no: the sentence says what it objected to."""


class ClickHouseAwayError(ClickHouseError):
    """ClickHouse did not answer, or cannot take rows now: try again later, nothing is lost by waiting."""


class MigrationError(ClickHouseError):
    """The tables and the numbered SQL files disagree."""
