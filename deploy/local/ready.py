"""Whether a server on loopback says that it is ready."""

from __future__ import annotations

import http.client
from typing import Final

from driftline.deploy.local.ports import LOOPBACK

_ANSWER_S: Final = 2.0
_OK: Final = 200


def says_ready(port: int, path: str) -> bool:
    """Ask a port of loopback for a path; False where nothing answers within two seconds, or something else than 200."""
    connection = http.client.HTTPConnection(LOOPBACK, port, timeout=_ANSWER_S)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == _OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
