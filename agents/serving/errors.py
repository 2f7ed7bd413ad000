"""Errors of serving: what a caller is answered when it cannot be served, and what an operator is told."""

from __future__ import annotations

from typing import Final

from driftline.schemas.errors import DriftlineError

BAD_REQUEST: Final = 400
UNAUTHORIZED: Final = 401
NOT_FOUND: Final = 404
NOT_ALLOWED: Final = 405
TIMED_OUT: Final = 408
TOO_LARGE: Final = 413
UNSUPPORTED: Final = 415
TOO_MANY: Final = 429
FAILED: Final = 500
BAD_GATEWAY: Final = 502
UNAVAILABLE: Final = 503
TOO_SLOW: Final = 504


class ServingError(DriftlineError):
    """An agent that cannot be started, or cannot do what it is told."""


class SwapError(ServingError):
    """A state that cannot be made to serve; what serves goes on."""


class AnswerError(Exception):
    """A request that is answered with an error.

    Attributes:
        status: of HTTP.
        sentence: for the caller.
        retry_after_s: when it may be tried again, s; None when trying again does not help.
        headers: that RFC 9110 asks of its status.
    """

    def __init__(
        self,
        status: int,
        sentence: str,
        retry_after_s: int | None = None,
        *,
        headers: tuple[tuple[bytes, bytes], ...] = (),
    ) -> None:
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence
        self.retry_after_s = retry_after_s
        self.headers = headers


def bad_request(sentence: str) -> AnswerError:
    """A request that is wrong in itself."""
    return AnswerError(BAD_REQUEST, sentence)


def too_many_rows(rows: int, most: int) -> AnswerError:
    """A request of more rows than it may have."""
    return AnswerError(TOO_LARGE, f"the request has {rows:,} rows; {most:,} are allowed")


def shown(error: BaseException) -> Exception:
    """An error that a future takes: a model may raise SystemExit, and StopIteration would end whoever waits."""
    if isinstance(error, Exception) and not isinstance(error, StopIteration):
        return error
    return RuntimeError(f"{type(error).__name__}: {error}")
