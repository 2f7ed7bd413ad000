"""What `driftline doctor` looks at on the machine: programs, libraries, room, limits."""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import psutil

from driftline.deploy.local.cache import cache_root
from driftline.deploy.local.check import Check, fail, ok, warn
from driftline.deploy.local.datadir import nearest
from driftline.deploy.local.errors import StackError
from driftline.deploy.local.programs import JAVA, MAVEN, NPM, Program, major, version_text
from driftline.schemas.settings import Settings

_GIB = 1024**3
# A replayed year of the demo takes 0.2 GiB; Kafka keeps a week, ClickHouse months.
_NEEDED_BYTES, _WISHED_BYTES = 2 * _GIB, 10 * _GIB
_WISHED_MEMORY_BYTES = 2 * _GIB
# A segment of Kafka has three files, a part of ClickHouse a dozen.
_WISHED_FILES = 4096
_LIBRARIES = (
    "faust",
    "clickhouse_connect",
    "pyarrow",
    "numba",
    "scipy",
    "prometheus_client",
    "cramjam",
    "google_crc32c",
)


def machine_checks(settings: Settings, env: Mapping[str, str], data_dir: Path) -> list[Check]:
    """Look at everything that needs no running stack."""
    found: list[Check] = []
    cached = _cached(env)
    if settings.local.kafka == "local":
        found.append(_program(JAVA, needed=True))
        found.append(_program(MAVEN, needed="kafka" not in cached))
    if settings.local.clickhouse == "local":
        found.append(_program(NPM, needed="clickhouse" not in cached))
    found.append(_fetched(cached, env))
    return [*found, _libraries(), _disk(data_dir), _memory(), _files()]


def _program(program: Program, *, needed: bool) -> Check:
    name = program.command
    try:
        text = version_text(program)
    except StackError:
        level = fail if needed else warn
        found = "not on the PATH" if needed else "not on the PATH; only needed when the cache is empty"
        return level(name, found, program.install)
    except (OSError, subprocess.TimeoutExpired) as error:
        return fail(name, f"does not say its version ({error})", program.install)
    if major(text) < program.minimum:
        return fail(name, f"{text} is older than {program.minimum}", program.install)
    return ok(name, text)


def _cached(env: Mapping[str, str]) -> set[str]:
    """Return which programs lie in the cache, whatever their version."""
    root = cache_root(env)
    names = {path.name for path in root.iterdir()} if root.is_dir() else set()
    return {kind for kind in ("kafka", "clickhouse") if any(_is_final(name, kind) for name in names)}


def _is_final(name: str, kind: str) -> bool:
    unfinished = name.endswith(".lock") or ".tmp" in name or name.startswith("kafka-cds")
    return name.startswith(f"{kind}-") and not unfinished


def _fetched(cached: set[str], env: Mapping[str, str]) -> Check:
    missing = sorted({"kafka", "clickhouse"} - cached)
    if missing:
        return warn("cache", f"{' and '.join(missing)} not fetched yet", "driftline doctor --prepare")
    return ok("cache", str(cache_root(env)))


def _libraries() -> Check:
    # What is imported is there; and Faust puts a module without a spec in its own place.
    missing = [name for name in _LIBRARIES if name not in sys.modules and find_spec(name) is None]
    if missing:
        return fail("libraries", f"{', '.join(missing)} not installed", "pip install 'driftline[local]'")
    return ok("libraries", "all that the workers need")


def _disk(data_dir: Path) -> Check:
    place = nearest(data_dir)
    free = shutil.disk_usage(place).free
    found = f"{free / _GIB:.1f} GiB free at {place}"
    if free < _NEEDED_BYTES:
        return fail(
            "disk", found, f"free {_NEEDED_BYTES // _GIB} GiB, or choose another place with --data-dir"
        )
    if free < _WISHED_BYTES:
        return warn("disk", found, f"{_WISHED_BYTES // _GIB} GiB leave room for months")
    return ok("disk", found)


def _memory() -> Check:
    free = int(psutil.virtual_memory().available)
    found = f"{free / _GIB:.1f} GiB available"
    if free < _WISHED_MEMORY_BYTES:
        return warn("memory", found, f"close programs until {_WISHED_MEMORY_BYTES // _GIB} GiB are free")
    return ok("memory", found)


def _files() -> Check:
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < _WISHED_FILES:
        return warn("open files", f"at most {soft} in a process", "ulimit -n 65536, before 'driftline up'")
    return ok("open files", "unlimited" if soft == resource.RLIM_INFINITY else f"at most {soft} in a process")
