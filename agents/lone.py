"""A file that one process alone holds, for as long as it is open: what it stands for is that one's own."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def hold(path: Path) -> int | None:
    """Make a file if it is missing, and lock it without waiting.

    Args:
        path: of the file, which nobody may remove while others may want it.

    Returns:
        its descriptor, which lets it go when it is closed, by a kill too; None while another process holds it.

    Raises:
        OSError: it can be made, opened or locked by nobody.
    """
    # For writing, as NFS wants: what is open for reading alone could not be locked there.
    number = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(number)
        return None
    except OSError:
        os.close(number)
        raise
    return number
