"""Webhook: an edge as a receiver gets it: a JSON body, a signature, a key by which it knows an edge sent again."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING, Final

import msgspec

from driftline.schemas.advice import Advice

if TYPE_CHECKING:
    from random import Random

    from driftline.schemas.alert import Alert

SIGNATURE: Final = "Driftline-Signature"
KEY: Final = "Idempotency-Key"
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
_DOUBLINGS: Final = 10


def body(edge: Alert | Advice) -> bytes:
    """The edge as JSON; the same bytes however often it is sent. An advice says that it is one."""
    if isinstance(edge, Advice):
        return msgspec.json.encode({"kind": "advice", **msgspec.to_builtins(edge)})
    return msgspec.json.encode(edge)


def headers(key: str, content: bytes, secret: bytes, now_s: int) -> dict[str, str]:
    """Headers of a request.

    Args:
        key: what the receiver knows it by when it is sent again.
        content: the body.
        secret: the receiver's and ours; empty signs nothing.
        now_s: the clock, s since 1970: it is signed too, so that an old request cannot be played again.
    """
    given = {"Content-Type": "application/json", "User-Agent": "driftline", KEY: key}
    if secret:
        given[SIGNATURE] = f"t={now_s},v1={signature(content, secret, now_s)}"
    return given


def signature(content: bytes, secret: bytes, now_s: int) -> str:
    """HMAC-SHA256 of the time in decimal digits, a dot, and the body; in hexadecimal digits.

    >>> signature(b"{}", b"sixteen letters.", 1)[:16]
    '119262c0fd23ed72'
    """
    return hmac.new(secret, b"%d.%b" % (now_s, content), hashlib.sha256).hexdigest()


def pause_s(failures: int, rng: Random) -> float:
    """How long to wait after so many failures in a row, s: twice as long each time, up to half a minute.

    Between half of that and all of it, by chance, so that many that failed together do not come back together.
    """
    most = min(FIRST_PAUSE_S * 2.0 ** min(failures - 1, _DOUBLINGS), LONGEST_PAUSE_S)
    return most * rng.uniform(0.5, 1.0)


def is_refusal(status: int) -> bool:
    """Whether a receiver's answer says that the same request will never be taken: 4xx but for those that ask to wait.

    >>> [code for code in (200, 302, 400, 404, 408, 413, 425, 429, 500) if is_refusal(code)]
    [400, 413]
    """
    return 400 <= status < 500 and status not in _WAIT  # noqa: PLR2004 - the classes of HTTP


# Not there, not allowed (yet), too early, too many: somebody mends the receiver, and the edge is then taken.
_WAIT: Final = frozenset((401, 403, 404, 407, 408, 409, 421, 423, 425, 429))
