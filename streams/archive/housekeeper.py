"""Housekeeper: a thread of the archive that forgets what is to be forgotten, keeps retention, and looks at disks."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final, Self

from driftline.streams.clickhouse import retention
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.errors import ClickHouseError
from driftline.streams.clickhouse.forgetting import Seen, forget

if TYPE_CHECKING:
    from driftline.schemas.settings import Settings
    from driftline.streams.archive.forget_recorder import ForgetRecorder
    from driftline.streams.worker_metrics import DiskMetrics

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 10.0
RETENTION_SECONDS: Final = 3_600.0
_JOIN_SECONDS: Final = 5.0


class Housekeeper:
    """Looks every ten seconds, from `with` to its end; what fails is tried again the next time."""

    def __init__(self, settings: Settings, disks: DiskMetrics, recorder: ForgetRecorder) -> None:
        self._settings, self._disks, self._recorder = settings, disks, recorder
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="archive-housekeeper", daemon=True)

    def __enter__(self) -> Self:
        """Start the thread."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._ending.set()
        self._thread.join(_JOIN_SECONDS)

    def _run(self) -> None:
        seen, applied_s = Seen(), float("-inf")
        with Client(self._settings.clickhouse) as client:
            while not self._ending.is_set():
                try:
                    if time.monotonic() - applied_s > RETENTION_SECONDS:
                        changed = retention.apply(client, self._settings.archive)
                        applied_s = time.monotonic()
                        if changed:
                            logger.info("the retention of %s is new", ", ".join(changed))
                    for table, rows in forget(client, seen).items():
                        logger.info("forgetting %d rows of %s", rows, table)
                    self._look_at_disks(client)
                    # Last: whatever keeps it from being written down, what was written is removed.
                    self._recorder.look(client)
                except ClickHouseError as error:
                    logger.warning("housekeeping waits: %s", error)
                except (
                    Exception
                ):  # the recorder follows Kafka, too: nothing that fails there may end the thread
                    logger.exception("housekeeping failed; it is tried again")
                self._ending.wait(LOOK_SECONDS)
        self._recorder.close()

    def _look_at_disks(self, client: Client) -> None:
        for row in client.query("SELECT name, free_space, total_space FROM system.disks"):
            self._disks.free.labels(row["name"]).set(row["free_space"])
            self._disks.total.labels(row["name"]).set(row["total_space"])
