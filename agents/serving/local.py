"""Local: a unix socket for halts and rollbacks when Kafka is away; who can reach it may try, signatures decide."""

from __future__ import annotations

import asyncio
import logging
import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from driftline.agents.serving.errors import ServingError
from driftline.schemas.control.envelope import MAX_BYTES

if TYPE_CHECKING:
    from driftline.agents.serving.controlled import Controlled

logger = logging.getLogger(__name__)

NAME: Final = "halt.sock"
MOST_BYTES: Final = MAX_BYTES * 8
"""Of a command with its approvals."""
ANSWER_BYTES: Final = 64 << 20
"""Of an answer at most: `about` tells of every version of every deployment."""
ANSWER_S: Final = 10.0
CALLERS: Final = 16
"""At a time; one more is sent away."""
ABOUT: Final = b"about\n"


class HaltSocket:
    """The socket while it listens.

    Args:
        server: listens on it.
        path: of the socket.
        inode: of the socket.
    """

    def __init__(self, server: asyncio.Server, path: Path, inode: int) -> None:
        self._server, self._path, self._inode = server, path, inode

    def close(self) -> None:
        """Take no more, and leave no socket at which nobody answers; another one that lies there by now stays."""
        with suppress(OSError):
            # While the server lives its number is given to no other file.
            if self._path.lstat().st_ino == self._inode:
                self._path.unlink()
        self._server.close()


async def listen(controlled: Controlled, folder: Path) -> HaltSocket:
    """Take local commands, a line each: `about`, or a command as `Belief.command` reads it.

    Raises:
        ServingError: the socket cannot be made.
    """
    path = folder / NAME
    places = asyncio.Semaphore(CALLERS)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if places.locked():
            writer.close()
            return
        async with places:
            await answer(reader, writer)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                line = await reader.readline()
                writer.write(msgspec.json.encode(await _answered(controlled, line)) + b"\n")
                await writer.drain()
        except (OSError, TimeoutError, asyncio.LimitOverrunError, ValueError):
            pass
        except Exception:
            logger.exception("a local command failed")
        finally:
            writer.close()

    with suppress(FileNotFoundError):
        path.unlink()
    # A path of more than 107 bytes is no name of a socket; from its own folder it is a short one.
    before = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(serve, str(_short(path)), limit=MOST_BYTES)
        return HaltSocket(server, path, path.stat().st_ino)
    except OSError as error:
        raise ServingError(f"the socket {path} cannot be made: {error.strerror or error}") from error
    finally:
        os.umask(before)


async def _answered(controlled: Controlled, line: bytes) -> dict[str, Any]:
    if line == ABOUT:
        return {"ok": True, **controlled.about()}
    try:
        deployment, unkept = await asyncio.to_thread(controlled.command, line)
    except ServingError as error:
        return {"ok": False, "error": str(error)}
    warning = {} if unkept is None else {"warning": f"it is obeyed, and a restart forgets it: {unkept}"}
    return {"ok": True, "deployment": deployment, **warning}


def ask(path: Path, line: bytes, answer_s: float = ANSWER_S) -> dict[str, Any]:
    """Send a line to an agent and give what it answers; blocks.

    Args:
        path: of its socket.
        line: `about`, or a command.
        answer_s: s that it may be silent.

    Raises:
        ServingError: nobody answers there.
    """
    import socket  # noqa: PLC0415 - who asks is no agent

    try:
        with socket.socket(socket.AF_UNIX) as to:
            to.settimeout(answer_s)
            to.connect(str(_short(path)))
            to.sendall(line)
            with to.makefile("rb") as read:
                answer: dict[str, Any] = msgspec.json.decode(read.readline(ANSWER_BYTES), type=dict)
    except (OSError, msgspec.MsgspecError) as error:
        raise ServingError(
            f"no agent answers at {path}: {getattr(error, 'strerror', None) or error}"
        ) from error
    return answer


def _short(path: Path) -> Path:
    """A path relative to the working directory, where that is shorter."""
    with suppress(ValueError):
        relative = path.absolute().relative_to(Path.cwd())
        return min(path, relative, key=lambda one: len(str(one)))
    return path
