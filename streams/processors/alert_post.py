"""One HTTP request to a receiver of alerts: sent, bounded in time, and answered with a status or a reason."""

from __future__ import annotations

import http.client
import ssl
from typing import Final
from urllib.parse import urlsplit

ANSWER_S: Final = 10.0
ANSWER_BYTES: Final = 200


class UnansweredError(Exception):
    """The receiver cannot be reached, or does not answer in time; the text says why."""


def post(url: str, content: bytes, headers: dict[str, str]) -> tuple[int, str]:
    """Post, and give the status with the beginning of the answer; a redirect is not followed.

    Raises:
        UnansweredError: no answer within `ANSWER_S`.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = kind(host, port, timeout=ANSWER_S)
    try:
        connection.request("POST", path, content, headers)
        answer = connection.getresponse()
        # One read: a receiver that lets its answer drip would hold the thread.
        text = answer.read1(ANSWER_BYTES).decode("utf-8", "replace")
    except (OSError, http.client.HTTPException, ssl.SSLError, ValueError) as error:
        raise UnansweredError(f"{type(error).__name__}: {error}") from error
    else:
        return answer.status, " ".join(text.split())
    finally:
        connection.close()
