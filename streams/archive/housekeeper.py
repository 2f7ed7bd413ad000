"""Housekeeper: a thread of the archive that forgets what is to be forgotten, keeps retention, and looks at disks."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from driftline.streams.clickhouse import retention
from driftline.streams.clickhouse.client import Client
from driftline.streams.clickhouse.errors import ClickHouseError
from driftline.streams.clickhouse.forgetting import Seen, forget

if TYPE_CHECKING:
    from collections.abc import Callable

    from driftline.schemas.settings import Settings
    from driftline.streams.archive.forget_recorder import ForgetRecorder
    from driftline.streams.worker_metrics import HousekeepingMetrics

logger = logging.getLogger(__name__)

LOOK_SECONDS: Final = 10.0
RETENTION_SECONDS: Final = 3_600.0
_JOIN_SECONDS: Final = 5.0


class Housekeeper:
    """Looks every ten seconds, from `with` to its end; what fails is tried again the next time."""

    def __init__(self, settings: Settings, metrics: HousekeepingMetrics, recorder: ForgetRecorder) -> None:
        self._settings, self._metrics, self._recorder = settings, metrics, recorder
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
                # Each by itself: whatever keeps one of them from being done, the others are.
                self._do("forgetting", partial(self._forget, client, seen))
                self._do("writing down what is to be forgotten", partial(self._recorder.look, client))
                self._do("looking at disks", partial(self._look_at_disks, client))
                if time.monotonic() - applied_s > RETENTION_SECONDS and self._do(
                    "retention", partial(self._keep_retention, client)
                ):
                    applied_s = time.monotonic()
                self._ending.wait(LOOK_SECONDS)
        with suppress(Exception):  # it ends, whatever keeps it from leaving
            self._recorder.close()

    def _do(self, what: str, work: Callable[[], bool]) -> bool:
        """Do a part of the work; whether that came off, which it may say itself. Nothing that fails ends the thread."""
        is_done = False
        try:
            is_done = work()
        except ClickHouseError as error:
            logger.warning("%s waits: %s", what, error)
        except Exception:
            logger.exception("%s failed; it is tried again", what)
        self._metrics.failing.labels(what).set(0 if is_done else 1)
        return is_done

    def _forget(self, client: Client, seen: Seen) -> bool:
        for table, rows in forget(client, seen).items():
            logger.info("forgetting %d rows of %s", rows, table)
        return True

    def _keep_retention(self, client: Client) -> bool:
        changed = retention.apply(client, self._settings.archive)
        if changed:
            logger.info("the retention of %s is new", ", ".join(changed))
        return True

    def _look_at_disks(self, client: Client) -> bool:
        for row in client.query("SELECT name, free_space, total_space FROM system.disks"):
            self._metrics.free.labels(row["name"]).set(row["free_space"])
            self._metrics.total.labels(row["name"]).set(row["total_space"])
        return True
