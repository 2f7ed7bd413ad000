"""Tokens: which deployment a caller of the doors may tell of; each token is for one deployment."""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
import tomllib
from typing import TYPE_CHECKING, Final

from driftline.agents.private import OTHERS
from driftline.agents.serving.errors import UNAUTHORIZED, AnswerError, ServingError
from driftline.schemas.names import name_fault
from driftline.schemas.whole import read_whole

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

SHORTEST: Final = 16
_BEARER: Final = "bearer "


class Tokens:
    """Tokens by deployment; they are kept as digests, and compared in constant time.

    Args:
        held: deployment -> token.
    """

    __slots__ = ("_held",)

    def __init__(self, held: Mapping[str, str]) -> None:
        self._held = {_digest(token): deployment for deployment, token in held.items()}

    def __repr__(self) -> str:
        return f"Tokens({sorted(self._held.values())})"

    def deployment(self, given: str) -> str:
        """Give the deployment of a token; raises AnswerError for one that nobody has."""
        wanted, found = _digest(given), None
        for digest, deployment in self._held.items():
            if hmac.compare_digest(digest, wanted):
                found = deployment
        if found is None:
            raise AnswerError(
                UNAUTHORIZED,
                "no deployment has this token: send it as 'Authorization: Bearer TOKEN'",
                headers=((b"www-authenticate", b"Bearer"),),
            )
        return found


def bearer(value: bytes) -> str:
    """The token in an Authorization header; empty without one."""
    text = value.decode("latin-1").strip()
    return text[len(_BEARER) :].strip() if text.lower().startswith(_BEARER) else ""


def read_tokens(path: Path) -> Tokens:
    """Read a file of tokens.

    Raises:
        ServingError: it cannot be read, others may reach it, or a token is too short.
    """

    def check(opened: os.stat_result) -> None:
        mode = stat.S_IMODE(opened.st_mode)
        if mode & OTHERS:
            raise ServingError(
                f"the tokens {path} have mode {mode:04o}; others must not reach them: chmod 600 {path}"
            )

    try:
        table = tomllib.loads(read_whole(path, check=check).decode()).get("tokens")
    except OSError as error:
        raise ServingError(f"the tokens {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise ServingError(f"the tokens {path} are no TOML: {error}") from error
    if not isinstance(table, dict) or not table:
        raise ServingError(f'the tokens {path} have no table [tokens] with DEPLOYMENT = "TOKEN"')
    for deployment, token in table.items():
        wrong = name_fault(deployment, slash=False)
        if wrong is not None:
            raise ServingError(f"the tokens {path} name the deployment {deployment[:80]!r}: {wrong}")
        fault = _fault(token)
        if fault is not None:
            raise ServingError(
                f"the token of {deployment} in {path} {fault}: 'openssl rand -hex 24' makes one"
            )
    if len(set(table.values())) < len(table):
        raise ServingError(f"two deployments in {path} have one token: give each its own")
    return Tokens(table)


def _fault(token: object) -> str | None:
    if not isinstance(token, str) or len(token) < SHORTEST:
        return f"is shorter than {SHORTEST} characters"
    return None if token.isascii() and token.isprintable() else "has a character that no header carries"


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode()).digest()
