"""What stops a block from being stored, sorted by what the keeper does next."""

from __future__ import annotations

from driftline.schemas.errors import DriftlineError


class FencedError(DriftlineError):
    """The broker refused a commit because the group moved on: ask again while the partition is still ours."""


class GoneError(DriftlineError):
    """The partition was taken away: drop the block, its next owner stores it."""


class KafkaAwayError(DriftlineError):
    """The broker did not answer: try again later, nothing is lost by waiting."""


class TopicError(DriftlineError):
    """A topic is not what the settings or the archive's own book say: a person has to decide."""
