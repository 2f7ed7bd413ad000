"""Stop: that a worker which is told to end while its group rebalances does end."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

logger = logging.getLogger(__name__)

CANCELLATIONS: Final = 20
"""How often a task of the consumer's thread is cancelled before it is left behind."""

CANCEL_S: Final = 0.25
"""How long it is waited for each time."""


def cancel_until_done(app: Any) -> None:  # noqa: ANN401 - the mend reaches into what faust's types do not show
    """Let the consumer's thread end although a task of it takes a cancellation for another's.

    aiokafka's fetcher, once it has lost its partitions, cancels its requests and waits for them, takes what cancels
    itself meanwhile for theirs, and goes on with new ones. Faust cancels each task once and waits for it, and its main
    thread waits for this one: told to stop during a rebalance, a worker stood still until it was killed.

    Args:
        app: the Faust app, before it is started.
    """
    thread = app.consumer._thread  # noqa: SLF001 - no public way to the thread that runs aiokafka

    async def gather_remaining_tasks() -> None:
        for _ in range(CANCELLATIONS):
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            if not tasks:
                return
            for task in tasks:
                task.cancel()
            done, _ = await asyncio.wait(tasks, timeout=CANCEL_S)
            await asyncio.gather(*done, return_exceptions=True)
        logger.warning("%s ends and leaves behind what does not: %s", thread.label, tasks)

    thread._gather_remaining_tasks = gather_remaining_tasks  # noqa: SLF001 - nor to how it ends
