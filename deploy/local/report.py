"""What `driftline status` tells: components, lag, rows, and what is wrong."""

from __future__ import annotations

import time
from datetime import UTC, datetime

import msgspec

from driftline.deploy.local.check import LOOK_SECONDS
from driftline.deploy.local.datadir import DataDirectory
from driftline.deploy.local.discover import running_state
from driftline.deploy.local.errors import StackError
from driftline.deploy.local.kafka_topics import admin_client
from driftline.deploy.local.lag import Lag, lags
from driftline.deploy.local.owner import ports_of
from driftline.deploy.local.state import ComponentState, StackState, process_started, read_state
from driftline.schemas.errors import DriftlineError
from driftline.schemas.settings import Settings
from driftline.streams.clickhouse import reads
from driftline.streams.clickhouse.client import Client

_HEALTHY = ("running", "outside")


class ComponentReport(msgspec.Struct, frozen=True, kw_only=True):
    """One component; `ports` are those it listens on now, for a worker that of its metrics."""

    name: str
    phase: str
    pid: int | None
    address: str
    ports: list[int]
    uptime_seconds: float | None
    restarts: int
    exit_code: int | None
    log: str


class LateRows(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one model version that came after their windows had closed, and await restatement."""

    deployment: str
    model_version: str
    slot: str
    rows: int


class StatusReport(msgspec.Struct, frozen=True, kw_only=True):
    """The whole; `problems` is empty exactly when everything is up.

    Attributes:
        rows: ClickHouse table -> rows.
        late: rows that are stored and in no window, by model version, the most first.
        problems: sentences.

    """

    ok: bool
    data_dir: str
    supervisor_pid: int | None
    started: str | None
    uptime_seconds: float | None
    bootstrap: str
    clickhouse: str
    components: list[ComponentReport]
    lag: list[Lag]
    rows: dict[str, int]
    late: list[LateRows]
    problems: list[str]


def observe(settings: Settings, directory: DataDirectory) -> StatusReport:
    """Look at everything once.

    Args:
        settings: with the addresses of what runs (`settings_here`).
        directory: of the local stack.

    """
    now = time.time()
    problems: list[str] = []
    state = running_state(directory)
    everything_outside = settings.local.kafka == "outside" and settings.local.clickhouse == "outside"
    if state is None and not everything_outside:
        problems.append(_not_running(directory))
    parts = state.components if state is not None else []
    problems += [_trouble(part) for part in parts if not _healthy(part)]
    reachable_kafka = state is not None or settings.local.kafka == "outside"
    reachable_clickhouse = state is not None or settings.local.clickhouse == "outside"
    lag = _lag(settings, problems) if reachable_kafka else []
    rows = _rows(settings, problems) if reachable_clickhouse else {}
    late = _late(settings, problems) if "windows" in rows else []
    return StatusReport(
        ok=not problems,
        data_dir=str(directory.root),
        supervisor_pid=None if state is None else state.pid,
        started=None
        if state is None
        else datetime.fromtimestamp(state.started, UTC).isoformat(timespec="seconds"),
        uptime_seconds=None if state is None else round(now - state.started, 1),
        bootstrap=settings.kafka.bootstrap,
        clickhouse=f"{settings.clickhouse.host}:{settings.clickhouse.port}",
        components=[_component(part, now) for part in parts],
        lag=lag,
        rows=rows,
        late=late,
        problems=problems,
    )


def _not_running(directory: DataDirectory) -> str:
    try:
        directory.check_readable()
    except StackError as error:
        return str(error)
    last: StackState | None = read_state(directory.state_file)
    if last is not None and last.phase != "stopped":
        return f"no stack runs in {str(directory.root)!r}; the last one was killed: 'driftline up' recovers its data"
    return f"no stack runs in {str(directory.root)!r}: 'driftline up' starts one"


def _healthy(part: ComponentState) -> bool:
    if part.phase == "outside":
        return True
    return part.phase in _HEALTHY and part.pid is not None and process_started(part.pid) is not None


def _trouble(part: ComponentState) -> str:
    if part.phase == "waiting":
        ended = f"{part.name} ended with exit code {part.exit_code} after {part.restarts} restarts"
        return f"{ended} and waits for the next: see {part.log}"
    if part.phase == "running":
        return f"{part.name} (pid {part.pid}) has just ended: see {part.log}"
    return f"{part.name} is {part.phase}: see {part.log}"


def _component(part: ComponentState, now: float) -> ComponentReport:
    return ComponentReport(
        name=part.name,
        phase=part.phase,
        pid=part.pid,
        address=part.address,
        ports=ports_of(part.pid),
        uptime_seconds=None if part.started is None else round(now - part.started, 1),
        restarts=part.restarts,
        exit_code=part.exit_code,
        log=part.log,
    )


def _lag(settings: Settings, problems: list[str]) -> list[Lag]:
    try:
        return lags(settings, admin_client(settings))
    except DriftlineError as error:
        problems.append(str(error))
        return []


def _rows(settings: Settings, problems: list[str]) -> dict[str, int]:
    query = (
        "SELECT name, total_rows FROM system.tables "
        "WHERE database = {database:String} AND total_rows IS NOT NULL ORDER BY name"
    )
    try:
        with Client(settings.clickhouse, database="default", answer_seconds=LOOK_SECONDS) as client:
            found = client.query(query, {"database": settings.clickhouse.database})
    except DriftlineError as error:
        problems.append(str(error))
        return {}
    return {str(row["name"]): int(row["total_rows"]) for row in found}


def _late(settings: Settings, problems: list[str]) -> list[LateRows]:
    try:
        return [LateRows(**found) for found in reads.late_rows(settings)]
    except DriftlineError as error:
        problems.append(str(error))
        return []
