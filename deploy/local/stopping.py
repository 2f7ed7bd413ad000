"""Stop a stack that another process supervises."""

from __future__ import annotations

import os
import signal
import time

from driftline.deploy.local.cache import Progress
from driftline.deploy.local.datadir import DataDirectory
from driftline.deploy.local.discover import running_state
from driftline.deploy.local.errors import StackError

# Workers may take 30 s for a last checkpoint, drift and accuracy at once, alerts and archive after them; Kafka and
# ClickHouse 20 s each.
STOP_SECONDS = 140.0
_POLL_SECONDS = 0.05


def stop_stack(directory: DataDirectory, progress: Progress) -> bool:
    """Ask the supervisor to stop, wait until everything has ended, and say whether there was one.

    Raises:
        StackError: it did not end in time, or it is not ours to see or to stop.

    """
    state = running_state(directory)
    if state is None:
        directory.check_readable()
        if directory.is_held():
            raise StackError(
                f"a process holds {str(directory.root)!r} but wrote no {directory.state_file.name}: "
                "wait until it has started, then try again"
            )
        return False
    progress(f"stopping the stack (pid {state.pid})")
    try:
        os.kill(state.pid, signal.SIGTERM)
    except ProcessLookupError:
        return True
    except PermissionError as error:
        raise StackError(
            f"the stack (pid {state.pid}) belongs to another user: stop it as that user"
        ) from error
    deadline = time.monotonic() + STOP_SECONDS
    while running_state(directory) is not None or directory.is_held():
        if time.monotonic() > deadline:
            raise StackError(
                f"the stack (pid {state.pid}) did not stop within {STOP_SECONDS:.0f} s: "
                f"see {directory.log('supervisor')}; 'kill -9 {state.pid}' ends it with all its parts"
            )
        time.sleep(_POLL_SECONDS)
    return True
