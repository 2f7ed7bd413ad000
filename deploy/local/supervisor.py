"""The supervisor: owns Kafka, ClickHouse and the workers from start to clean stop."""

from __future__ import annotations

import logging
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from driftline.deploy.local.board import BOARD, board_process
from driftline.deploy.local.cache import Progress
from driftline.deploy.local.component import stop_together
from driftline.deploy.local.errors import StackError
from driftline.deploy.local.kafka_topics import ensure_topics
from driftline.deploy.local.rotate import rotate
from driftline.deploy.local.stack import Stack
from driftline.deploy.local.state import ComponentState, Phase, StackState, process_started, write_state
from driftline.deploy.local.targets import metrics_ports, serving_at, write_targets
from driftline.deploy.local.watched import Watched
from driftline.deploy.local.worker import ROLES, WorkerProcess
from driftline.schemas.access import ADMIN
from driftline.streams.clickhouse.migrate import migrate

logger = logging.getLogger(__name__)

_LOOK_SECONDS = 0.2
_ROTATE_SECONDS = 5.0
_FIRST = (BOARD, "drift", "accuracy")


class InterruptedStartError(StackError):
    """The stack was told to stop before it had started."""

    def __init__(self) -> None:
        super().__init__("the stack was stopped before it had started: run 'driftline up' again")


class Supervisor:
    """Runs one stack with its workers until it is told to stop."""

    def __init__(self, stack: Stack, *, workers: tuple[str, ...] = ROLES, progress: Progress) -> None:
        """Describe what to run; nothing is started.

        Args:
            stack: Kafka and ClickHouse.
            workers: roles to run; "board" may be one of them.
            progress: told what takes time.

        """
        self.stack = stack
        self._workers = workers
        self._progress = progress
        self._started = time.time()
        self._told_to_stop = threading.Event()
        self._watched: list[Watched] = []
        self._phase: Phase = "starting"
        self._written: StackState | None = None

    def run(self, ready: Callable[[], None]) -> None:
        """Start everything, call `ready`, watch until told to stop, then stop everything in order.

        Raises:
            StackError: something did not start; all that had been started is stopped.
            DriftlineError: a topic or a migration was refused.

        """
        with self._signals():
            self.stack.prepare()
            try:
                self._begin()
                ready()
                self._watch()
            finally:
                self._end()

    def stop(self) -> None:
        """Tell `run` to stop; may be called from another thread or a signal handler."""
        self._told_to_stop.set()

    def _begin(self) -> None:
        self._write()
        self._progress("starting Kafka and ClickHouse")
        self.stack.start()
        stack, as_admin = self.stack, self.stack.settings_of(ADMIN)
        self._progress("creating topics and tables")
        ensure_topics(as_admin)
        migrate(as_admin)
        parts = [(part, _address(stack, part.name)) for part in stack.components]
        listening = stack.settings.worker
        roles = tuple(role for role in self._workers if role != BOARD)
        ports = metrics_ports(roles, listening.metrics_port)
        write_targets(stack.directory.targets_file, listening.metrics_host, ports)
        workers = [
            WorkerProcess(
                role,
                serving_at(stack.settings_of(role), port),
                log=stack.directory.log(role),
                cwd=Path.cwd(),
                config=stack.file_of(role),
            )
            for role, port in ports.items()
        ]
        boards = [board_process(stack, Path.cwd())] if BOARD in self._workers else []
        watched = [
            *((board, board.address) for board in boards),
            *((worker, "") for worker in workers),
            *parts,
        ]
        self._watched = [Watched(part, address, random.SystemRandom().random) for part, address in watched]
        for each in self._watched:
            each.start(time.time())
        self._phase = "running"
        self._look()
        # Each answers, or ends, within the time that it is given.
        while any(each.phase == "starting" for each in self._watched):
            if self._told_to_stop.wait(_LOOK_SECONDS):
                return
            self._look()

    def _watch(self) -> None:
        next_rotation = 0.0
        while not self._told_to_stop.wait(_LOOK_SECONDS):
            self._look()
            if time.monotonic() >= next_rotation:
                next_rotation = time.monotonic() + _ROTATE_SECONDS
                for log in self.stack.directory.logs.glob("*.log"):
                    rotate(log)

    def _look(self) -> None:
        for each in self._watched:
            each.look(time.time())
        self._write()

    def _end(self) -> None:
        self._phase = "stopping"
        self._try_to_write()
        faults: list[Exception] = []
        for group in in_order_of_stopping(self._watched):
            logger.info("stopping %s", ", ".join(each.component.name for each in group))
            try:
                stop_together(group)
            except Exception as fault:
                logger.exception("what was to be stopped was not")
                faults.append(fault)
            self._try_to_write()
        # In every case, since it kills what a failed stop left of Kafka and ClickHouse.
        self.stack.stop()
        self._phase = "stopped"
        self._try_to_write()
        if faults:
            raise faults[0]

    def _try_to_write(self) -> None:
        """Write the state file, if the disk takes it: a full one must not keep anything from being stopped."""
        try:
            self._write()
        except OSError:
            logger.exception("the state file cannot be written")

    def _write(self) -> None:
        """Write the state file when something changed."""
        settings = self.stack.settings
        state = StackState(
            pid=os.getpid(),
            pid_started=process_started(os.getpid()) or 0.0,
            phase=self._phase,
            started=self._started,
            bootstrap=settings.kafka.bootstrap,
            clickhouse_host=settings.clickhouse.host,
            clickhouse_port=settings.clickhouse.port,
            secure=self.stack.is_secured,
            components=[each.state for each in self._watched] + self._outside(),
        )
        if state != self._written:
            write_state(self.stack.directory.state_file, state)
            self._written = state

    def _outside(self) -> list[ComponentState]:
        local = self.stack.wishes.local
        places = (("kafka", local.kafka), ("clickhouse", local.clickhouse))
        return [
            ComponentState(name=name, phase="outside", address=_address(self.stack, name))
            for name, place in places
            if place == "outside"
        ]

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Let SIGTERM and Ctrl-C ask for a clean stop while we run."""

        def ask(_number: int, _frame: FrameType | None) -> None:
            self.stop()
            # Fetching and starting take long and look at no flag; stopping must not be interrupted.
            if self._phase == "starting":
                self._phase = "stopping"
                raise InterruptedStartError

        before = {
            number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def in_order_of_stopping(watched: Sequence[Watched]) -> list[list[Watched]]:
    """What answers and counts together; then each by itself what hears of that: alerts, archive, servers."""
    first = [each for each in watched if each.component.name in _FIRST]
    return [group for group in (first, *([each] for each in watched if each not in first)) if group]


def _address(stack: Stack, name: str) -> str:
    settings = stack.settings
    if name == "kafka":
        return settings.kafka.bootstrap
    scheme = "https" if settings.clickhouse.secure else "http"
    return f"{scheme}://{settings.clickhouse.host}:{settings.clickhouse.port}"
