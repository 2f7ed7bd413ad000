"""What the board answers when it has no figures: a kind that the page knows, and one sentence for people."""

from __future__ import annotations

from enum import Enum
from http import HTTPStatus
from typing import Final

from driftline.schemas.errors import DriftlineError


class BoardError(DriftlineError):
    """The board cannot be started; the sentence says what to do."""


class Trouble(Enum):
    """Why there are no figures, as the page tells them apart."""

    ASKED = "asked"
    UNKNOWN = "unknown"
    LOGIN = "login"
    BUSY = "busy"
    AWAY = "away"
    TIMEOUT = "timeout"
    LIMIT = "limit"
    DENIED = "denied"
    PANEL = "panel"


_STATUSES: Final = {
    Trouble.ASKED: HTTPStatus.BAD_REQUEST,
    Trouble.UNKNOWN: HTTPStatus.NOT_FOUND,
    Trouble.LOGIN: HTTPStatus.UNAUTHORIZED,
    Trouble.BUSY: HTTPStatus.SERVICE_UNAVAILABLE,
    Trouble.AWAY: HTTPStatus.SERVICE_UNAVAILABLE,
    Trouble.TIMEOUT: HTTPStatus.GATEWAY_TIMEOUT,
    Trouble.LIMIT: HTTPStatus.UNPROCESSABLE_ENTITY,
    Trouble.DENIED: HTTPStatus.FORBIDDEN,
    Trouble.PANEL: HTTPStatus.BAD_GATEWAY,
}


class NoFiguresError(Exception):
    """A request that is answered by a sentence.

    Attributes:
        trouble: its kind.
        sentence: what is wrong and what to do.
        status: of the answer; by default that of its kind.
        again_s: after which time it may be asked again, s; None where that does not help.
    """

    def __init__(
        self,
        trouble: Trouble,
        sentence: str,
        *,
        status: HTTPStatus | None = None,
        again_s: int | None = None,
    ) -> None:
        super().__init__(sentence)
        self.trouble, self.sentence, self.again_s = trouble, sentence, again_s
        self.status = _STATUSES[trouble] if status is None else status
