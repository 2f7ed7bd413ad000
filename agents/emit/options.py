"""The arguments of an Emitter, checked once: what is wrong raises one sentence at construction, never later."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, TypedDict, get_args

from driftline.agents.emit.errors import EmitterError
from driftline.schemas.names import MAX_COLUMNS, name_fault
from driftline.schemas.settings import Worker

Treatment = Literal["keep", "counters_only", "hashed", "drop"]
OnFull = Literal["drop_new", "drop_oldest_spool"]
TREATMENTS: Final = get_args(Treatment)
DAY_S: Final = 86_400.0
MIB: Final = 1 << 20


class EmitterOptions(TypedDict, total=False):
    """Every option of `Emitter`; what each means stands there."""

    slot: str
    instance: str
    epoch: int
    features: Sequence[str]
    columns: Mapping[str, Treatment]
    salt: bytes | str
    float64: Collection[str]
    categorical: Collection[str]
    buffer_events: int
    buffer_bytes: int
    spool_dir: str | os.PathLike[str] | None
    spool_bytes: int
    spool_age_s: float
    on_full: OnFull
    batch_rows: int
    linger_s: float
    stall_s: float
    heartbeat_s: float
    compression: Literal["lz4", "zstd", "none"]
    kafka: Mapping[str, Any]
    clock: Callable[[], float]


@dataclass(frozen=True, slots=True)
class Options:
    """Checked options. Times are in seconds, sizes in bytes; `spool_dir` None means: no spool.

    `epoch` None means: a new one for each life. `future_ms` is the setting of that name: how far ahead of this
    machine's clock an event may lie. `made_by` is the process that was given them.
    """

    deployment: str
    version: str
    slot: str = "champion"
    instance: str | None = None
    epoch: int | None = None
    features: tuple[str, ...] = ()
    columns: Mapping[str, Treatment] | None = None
    salt: bytes | None = None
    float64: frozenset[str] = frozenset()
    categorical: frozenset[str] = frozenset()
    buffer_events: int = 100_000
    buffer_bytes: int = 64 * MIB
    spool_dir: Path | None = None
    spool_bytes: int = 1024 * MIB
    spool_age_s: float = 7 * DAY_S
    on_full: OnFull = "drop_new"
    batch_rows: int = 500
    linger_s: float = 0.1
    stall_s: float = 1.0
    heartbeat_s: float = 5.0
    compression: str = "lz4"
    future_ms: int = Worker().future_ms
    made_by: int = field(default_factory=os.getpid)

    @property
    def treatments(self) -> Mapping[str, Treatment]:
        """Treatment by column; columns that are not named are kept."""
        return self.columns or {}

    def instance_name(self) -> str:
        """The given instance, or host and process: forked processes differ."""
        return self.instance or f"{socket.gethostname()}.{os.getpid()}"


def checked(deployment: str, version: str, given: Mapping[str, Any]) -> Options:
    """Check every argument; raises EmitterError for the first that is wrong."""
    unknown = [key for key in given if key not in EmitterOptions.__annotations__]
    if unknown:
        allowed = ", ".join(sorted(EmitterOptions.__annotations__))
        raise EmitterError(f"an Emitter has no option {unknown[0]!r}; it has {allowed}")
    _name("deployment", deployment, slash=False)
    _name("version", version)
    known = {key: _CHECKS[key](key, value) for key, value in given.items() if key in _CHECKS}
    if not callable(given.get("clock", time.time)):
        raise EmitterError(f"clock={given['clock']!r} cannot be called; give a function like time.time")
    options = Options(deployment, version, **known)
    if options.on_full == "drop_oldest_spool" and options.spool_dir is None:
        raise EmitterError("on_full='drop_oldest_spool' needs a spool; give spool_dir as well")
    if options.epoch is not None and (options.instance is None or options.spool_dir is not None):
        raise EmitterError(
            f"epoch={options.epoch} is of an instance that runs again; give instance as well, and no spool_dir"
        )
    both = sorted(options.float64 & options.categorical)
    if both:
        raise EmitterError(
            f"float64 and categorical both name {both[0]!r}; a column is a number or a category"
        )
    return options


def _name(what: str, value: object, *, slash: bool = True) -> str:
    if not isinstance(value, str):
        raise EmitterError(f"{what}={value!r} is no name; give a string")
    fault = name_fault(value, slash=slash)
    if fault is not None:
        raise EmitterError(f"{what}={value[:80]!r} is no name: {fault}")
    return value


def _names(what: str, values: object) -> list[str]:
    if isinstance(values, str) or not isinstance(values, Collection):
        raise EmitterError(f"{what}={values!r} is no list of column names; give a tuple of strings")
    names = [_name(what, value) for value in values]
    if len(set(names)) != len(names):
        raise EmitterError(f"{what} names a column twice; name each once")
    if len(names) > MAX_COLUMNS:
        raise EmitterError(f"{what} names {len(names):,} columns; at most {MAX_COLUMNS:,} are allowed")
    return names


def _columns(_what: str, value: object) -> dict[str, Treatment]:
    if not isinstance(value, Mapping):
        raise EmitterError(f"columns={value!r} is no mapping; give {{'name': 'drop'}} and the like")
    for name, treatment in value.items():
        _name("a name in columns", name)
        if treatment not in TREATMENTS:
            raise EmitterError(f"columns[{name!r}]={treatment!r} is not one of {', '.join(TREATMENTS)}")
    return dict(value)


def _salt(_what: str, value: object) -> bytes | None:
    if isinstance(value, str):
        value = value.encode()
    if value is not None and (not isinstance(value, bytes) or not value):
        raise EmitterError("salt is not a key; give bytes or a string that is not empty")
    return value


def _bounded(low: float, high: float) -> Callable[[str, object], float]:
    """Give the check of a number; whole when its lower bound is."""
    whole = isinstance(low, int)

    def check(what: str, value: object) -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or not low <= value <= high:
            raise EmitterError(f"{what}={value!r} is out of bounds; give a number from {low:,} to {high:,}")
        if whole and value != int(value):
            raise EmitterError(f"{what}={value!r} is no whole number; give one")
        return int(value) if whole else float(value)

    return check


def _chosen(*choices: str) -> Callable[[str, object], object]:
    def check(what: str, value: object) -> object:
        if value not in choices:
            raise EmitterError(f"{what}={value!r} is not one of {', '.join(choices)}")
        return value

    return check


def _folder(_what: str, value: object) -> Path | None:
    if value is None:
        return None
    if not isinstance(value, str | os.PathLike) or value == "":
        raise EmitterError(f"spool_dir={value!r} is no path; give a directory, or None for no spool")
    try:
        folder = Path(value).absolute()
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError, TypeError) as error:
        cause = getattr(error, "strerror", None) or error
        raise EmitterError(
            f"spool_dir={str(value)!r} cannot be made ({cause}); give a writable one"
        ) from error
    if not os.access(folder, os.W_OK | os.X_OK):
        raise EmitterError(f"spool_dir={str(value)!r} is not writable; give a writable directory")
    return folder


_CHECKS: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    "slot": _name,
    "instance": _name,
    "epoch": _bounded(1, 1 << 62),
    "features": lambda what, value: tuple(_names(what, value)),
    "columns": _columns,
    "salt": _salt,
    "float64": lambda what, value: frozenset(_names(what, value)),
    "categorical": lambda what, value: frozenset(_names(what, value)),
    "buffer_events": _bounded(1, 100_000_000),
    "buffer_bytes": _bounded(MIB // 16, 1 << 40),
    "spool_dir": _folder,
    "spool_bytes": _bounded(MIB // 4, 1 << 44),
    "spool_age_s": _bounded(1.0, 7 * DAY_S),
    "on_full": _chosen(*get_args(OnFull)),
    "batch_rows": _bounded(1, 10_000),
    "linger_s": _bounded(0.0, 60.0),
    "stall_s": _bounded(0.01, 600.0),
    "heartbeat_s": _bounded(0.05, 600.0),
    "compression": _chosen("lz4", "zstd", "none"),
}
