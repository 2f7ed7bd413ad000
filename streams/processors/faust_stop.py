"""Stop: that a worker which is told to end does end, whatever Faust and aiokafka wait for."""

from __future__ import annotations

import logging
import os
import threading
from typing import Final

logger = logging.getLogger(__name__)

STOP_S: Final = 20.0
"""How long stopping may take: ten times what it takes, and less than the half minute after which orchestrators kill."""


def end_within(seconds: float) -> None:
    """End this process after so many seconds, if it has not ended by itself.

    Told to stop while its group rebalances a worker stood still for ever, once in some hundred times: the fetcher of
    aiokafka takes its own cancellation for that of its requests, and goes on; Faust cancels it once and waits for it,
    its main thread without end. What such a worker has read is stored before, and what is not is read again by another:
    as safe as SIGKILL, which it would get next.
    """
    timer = threading.Timer(seconds, _end, (seconds,))
    timer.daemon = True
    timer.start()


def _end(seconds: float) -> None:
    logger.warning("stopping took more than %g s: the worker ends without taking leave of its group", seconds)
    os._exit(0)
