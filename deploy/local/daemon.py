"""Start the supervisor in the background and wait until it reports that the stack is ready.

    python -m driftline.deploy.local.daemon REPORT_FD WORKERS [JVM_OPTION ...]

is the background process: it takes its settings from variables and reports lines of JSON, [kind, text].
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from driftline.deploy.local import guard
from driftline.deploy.local.cache import Progress
from driftline.deploy.local.datadir import DataDirectory
from driftline.deploy.local.environment import child_environment
from driftline.deploy.local.errors import StackError, tail_of
from driftline.deploy.local.stack import QUICK_JVM, Stack
from driftline.deploy.local.supervisor import Supervisor
from driftline.schemas.errors import DriftlineError
from driftline.schemas.settings import Settings, load

LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
SUPERVISOR = "supervisor"
_STOP_SECONDS = 60.0


def start_in_background(
    settings: Settings, workers: tuple[str, ...], progress: Progress, *, tied: bool = False
) -> int:
    """Start a supervisor in a process of its own and return its pid once the stack is ready.

    Args:
        settings: what it is to run.
        workers: their roles.
        progress: told what takes time.
        tied: it is asked to stop when this thread's process ends in whatever way; else it outlives us. It lives too
            short then for Kafka's JVM to compile well.

    Raises:
        StackError: it said why the stack did not start, or ended without a word.

    """
    directory = DataDirectory(Path(settings.local.data_dir).absolute())
    directory.make()
    directory.check_free()
    log = directory.log(SUPERVISOR)
    reading, writing = os.pipe()
    command = [sys.executable, "-m", "driftline.deploy.local.daemon", str(writing), ",".join(workers)]
    if tied:
        command += QUICK_JVM
        # SIGTERM: it stops what it runs in order, as for `driftline down`.
        command = guard.tied(signal.SIGTERM, *command)
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=child_environment(settings),
            pass_fds=[writing],
            start_new_session=True,
        )
    os.close(writing)
    with os.fdopen(reading) as reports:
        try:
            _follow(reports, progress, log)
        except BaseException:
            # Ctrl-C here, or a failed start: it stops what it had started, then ends.
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(_STOP_SECONDS)
            raise
    # Nobody will wait for it: whoever stops it looks at the lock of the data directory.
    process.returncode = 0
    return process.pid


def _follow(reports: Iterable[str], progress: Progress, log: Path) -> None:
    """Pass progress on until the supervisor is ready.

    Raises:
        StackError: it failed, or its end of the pipe closed before it was ready.

    """
    for line in reports:
        kind, text = json.loads(line)
        if kind == "ready":
            return
        if kind == "error":
            raise StackError(text, tail_of(log))
        progress(text)
    raise StackError(f"the supervisor ended before the stack was ready: see the end of {log}", tail_of(log))


def main() -> int:
    """Be the background process."""
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT)
    report_fd = int(sys.argv[1])
    workers = tuple(name for name in sys.argv[2].split(",") if name)

    def report(kind: str, text: str) -> None:
        logging.getLogger(SUPERVISOR).info("%s %s", kind, text)
        # Whoever started us may have gone; the stack goes on all the same.
        with suppress(OSError):
            os.write(report_fd, json.dumps([kind, text]).encode() + b"\n")

    def ready() -> None:
        report("ready", "")
        os.close(report_fd)

    stack = Stack(load(os.environ), progress=lambda text: report("progress", text), jvm=tuple(sys.argv[3:]))
    supervisor = Supervisor(stack, workers=workers, progress=lambda text: report("progress", text))
    try:
        supervisor.run(ready)
    except DriftlineError as error:
        report("error", str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
