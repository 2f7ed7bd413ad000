"""Processes: several whole agents on one port; each has its own state, its own acks and its own spool."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any, Final

import psutil

from driftline.agents.serving.server import listening
from driftline.deploy.local.guard import tied

if TYPE_CHECKING:
    from collections.abc import Iterable

    from driftline.deploy.serving.start import Single
    from driftline.schemas.settings_serve import Serve

logger = logging.getLogger(__name__)

AGAIN_S: Final = 1.0
"""How long a process that ended is waited with before it is started again."""
_POLL_S: Final = 0.2


def run(serve: Serve, single: Single | None) -> int:
    """Run them until told to stop; one that ends by itself is started again, unless none ever served."""
    with closing(listening(serve.host, serve.port, shared=True)) as kept:
        # The port stays taken, so that one that was chosen here is that of every process; nothing is taken from it.
        port = kept.getsockname()[1]
        stopping: list[int] = []
        for word in (signal.SIGTERM, signal.SIGINT):
            signal.signal(word, lambda received, _frame: stopping.append(received))
        children = {number: _start(serve, port, single, number) for number in range(serve.processes)}
        code, have_served = 0, False
        while not stopping and code == 0:
            time.sleep(_POLL_S)
            have_served = have_served or _listens(children.values(), port)
            for number, child in children.items():
                ended = child.poll()
                if ended is None:
                    continue
                if ended > 0 and not have_served:
                    code = ended  # it said why: a wrong setting is wrong for all of them
                    break
                time.sleep(AGAIN_S)
                children[number] = _instead_of(child, serve, port, single, number)
        for child in children.values():
            if child.poll() is None:
                child.send_signal(signal.SIGTERM)
        for child in children.values():
            try:
                child.wait(serve.drain_seconds + serve.stop_seconds + serve.request_seconds + 30)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        return code


def _listens(children: Iterable[subprocess.Popen[Any]], port: int) -> bool:
    """Whether one of them takes connections: then what keeps another from starting is not every one's.

    Others may listen on the port too, as those of an installation that was started twice.
    """
    for child in children:
        with suppress(psutil.Error):  # it has just ended
            found = psutil.Process(child.pid).net_connections("tcp")
            if any(one.status == psutil.CONN_LISTEN and one.laddr.port == port for one in found):
                return True
    return False


def _instead_of(
    child: subprocess.Popen[Any], serve: Serve, port: int, single: Single | None, number: int
) -> subprocess.Popen[Any]:
    """Start one in place of one that ended; that one is given while this machine has no room for another process."""
    try:
        return _start(serve, port, single, number)
    except OSError as error:
        logger.warning("process %d cannot be started, and is tried again: %s", number, error)
        return child


def _start(serve: Serve, port: int, single: Single | None, number: int) -> subprocess.Popen[Any]:
    """Start one; it is told to stop when this process ends, in whatever way.

    Those that went on alone would share state and port with the ones that are started next, and no local halt would
    reach them.
    """
    words = [
        sys.executable,
        "-m",
        "driftline.deploy.cli",
        "serve",
        "--processes",
        "1",
        "--number",
        str(number),
    ]
    words += ["--host", serve.host, "--port", str(port)]
    words += ["--upstream", serve.upstream] if serve.upstream else []
    if single is not None:
        words += ["--package", str(single.folder), "--deployment", single.deployment]
        words += [word for key in single.signers for word in ("--by", key)]
    return subprocess.Popen(tied(signal.SIGTERM, *words))  # noqa: S603 - a fixed list
