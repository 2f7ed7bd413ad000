"""The library of ClickHouse: the whole engine in one shared object, fetched by npm and checked by its lock file."""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from driftline.deploy.local.cache import Progress, cache_root, digest_of, prepared
from driftline.deploy.local.errors import StackError
from driftline.deploy.local.programs import NPM, find, run

PACKAGE = "@chdb/lib-linux-x64-gnu"
_FETCH_SECONDS = 1800.0
_RESOURCES = "driftline.deploy.local"


@dataclass(frozen=True, slots=True)
class ClickHouseLibrary:
    """The engine's shared object and its version."""

    path: Path
    version: str


def fetch_library(env: Mapping[str, str], progress: Progress) -> ClickHouseLibrary:
    """Return the library, fetching it when the cache does not hold it yet; npm checks its SHA-512.

    Raises:
        StackError: npm is missing, the machine cannot run the library, or the fetch failed.

    """
    manifest = files(_RESOURCES).joinpath("package.json").read_bytes()
    lock = files(_RESOURCES).joinpath("package-lock.json").read_bytes()
    version = json.loads(manifest)["dependencies"][PACKAGE]

    def make(directory: Path) -> None:
        check_machine(sys.platform, platform.machine())
        npm = find(NPM)
        (directory / "package.json").write_bytes(manifest)
        (directory / "package-lock.json").write_bytes(lock)
        what = f"fetching ClickHouse {version} by npm (566 MB unpacked, once)"
        progress(what)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        run(command, what=what, cwd=directory, seconds=_FETCH_SECONDS, progress=progress)

    root = prepared(cache_root(env), f"clickhouse-{version}-{digest_of(manifest, lock)}", make, progress)
    return ClickHouseLibrary(root / "node_modules" / PACKAGE / "libchdb.so", version)


def check_machine(system: str, machine: str) -> None:
    """Refuse a machine that the library was not built for.

    Raises:
        StackError: not Linux on x86-64.

    """
    if (system, machine) != ("linux", "x86_64"):
        raise StackError(
            f"the local ClickHouse runs on Linux x86_64, not on {system} {machine}: "
            "set DRIFTLINE_LOCAL_CLICKHOUSE=outside and DRIFTLINE_CLICKHOUSE_HOST to a server of yours"
        )
