"""Everything `driftline doctor` looks at, in the order in which it should be mended."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from driftline.deploy.local.check import Check, ok, split_sentence, warn
from driftline.deploy.local.check_directory import directory_checks
from driftline.deploy.local.check_machine import machine_checks
from driftline.deploy.local.check_services import clickhouse_checks, kafka_checks
from driftline.deploy.local.discover import (
    data_directory,
    load_here,
    parts_elsewhere,
    running_state,
    settings_here,
)
from driftline.schemas.settings import Settings, SettingsError


def examine(env: Mapping[str, str], cwd: Path) -> list[Check]:
    """Look at everything once; wrong settings end the examination, for nothing else can be judged."""
    try:
        settings = load_here(env, cwd)
    except SettingsError as error:
        return [split_sentence("settings", str(error))]
    directory = data_directory(settings, cwd)
    checks = [
        ok("settings", "all allowed"),
        *machine_checks(settings, env, directory.root),
        *directory_checks(settings, directory),
    ]
    elsewhere = parts_elsewhere(settings, env, cwd)
    found = settings_here(env, cwd, required=False)
    return [*checks, *_services(found, elsewhere, runs=running_state(directory) is not None)]


def _services(settings: Settings, elsewhere: set[str], *, runs: bool) -> list[Check]:
    """Look at Kafka and ClickHouse; a local one that was not started is no fault."""
    found: list[Check] = []
    for name, checks in (("kafka", kafka_checks), ("clickhouse", clickhouse_checks)):
        if runs or name in elsewhere:
            found += checks(settings, _mend(name, elsewhere))
        else:
            found.append(warn(name, "not running", _mend(name, elsewhere)))
    return found


def _mend(part: str, elsewhere: set[str]) -> str:
    if part not in elsewhere:
        return "driftline up"
    return f"look at that server, or mend DRIFTLINE_{part.upper()}_* in the environment or driftline.toml"
