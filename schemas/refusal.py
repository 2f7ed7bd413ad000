"""Why a message is refused: one exception, and the closed set of reasons for dead letters and metrics."""

from __future__ import annotations

from typing import Final

REASONS: Final = (
    "bad_magic",  # the bytes do not begin as Avro single-object encoding does
    "unknown_schema",  # the fingerprint is of no schema that this release carries
    "bad_bytes",  # the bytes do not decode under the schema they name
    "bad_shape",  # columns of different lengths, codes without a level, a name twice
    "impossible_value",  # a time before 1970 or after 2199, a name that cannot be one
    "future",  # event time far ahead of the time the broker received it
    "wrong_partition",  # the message lies where murmur2 of its key would not put it
    "wrong_key",  # the key is not the deployment that the value names
    "too_large",  # more bytes, rows or columns than the contract allows
    "unsupported_type",  # a value or record type that has no place in the schema
)


class Refused(Exception):  # noqa: N818 - the caller refuses a message and goes on; nothing has failed
    """A message that does not keep the contract; it goes to the dead letters, whole, and the rest goes on.

    `reason` is one of `REASONS` (bounded, so it may label a metric); `detail` is one sentence for people.
    """

    def __init__(self, reason: str, detail: str) -> None:
        """Raise ValueError for a reason outside `REASONS`: an unbounded label set would break the metrics."""
        if reason not in REASONS:
            message = f"{reason!r} is not a reason for refusal; it must be one of {', '.join(REASONS)}"
            raise ValueError(message)
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        """Reason and sentence, as logs show them."""
        return f"{self.reason}: {self.detail}"
