"""Everything `driftline doctor` looks at, in the order in which it should be mended."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from driftline.deploy.local.check import Check, ok, split_sentence, warn
from driftline.deploy.local.check_directory import directory_checks
from driftline.deploy.local.check_machine import machine_checks
from driftline.deploy.local.check_services import clickhouse_checks, kafka_checks
from driftline.deploy.local.discover import data_directory, load_here, running_state, settings_here
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
    return [
        *checks,
        *_services(settings_here(env, cwd, required=False), runs=running_state(directory) is not None),
    ]


def _services(settings: Settings, *, runs: bool) -> list[Check]:
    """Look at Kafka and ClickHouse; a local one that was not started is no fault."""
    parts = (
        ("kafka", settings.local.kafka, kafka_checks),
        ("clickhouse", settings.local.clickhouse, clickhouse_checks),
    )
    found: list[Check] = []
    for name, place, checks in parts:
        if runs or place == "outside":
            found += checks(settings)
        else:
            found.append(warn(name, "not running", "driftline up"))
    return found
