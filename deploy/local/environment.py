"""Settings as environment variables, to hand them to a child process unchanged."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from driftline.schemas.settings import Secret, Settings
from driftline.schemas.sources import variable


def variables(settings: Settings) -> dict[str, str]:
    """Return DRIFTLINE_<SECTION>_<FIELD> for every setting, defaults included.

    Defaults too, because the child may find a driftline.toml that says otherwise; variables go over it.

    >>> variables(Settings())["DRIFTLINE_KAFKA_PARTITIONS"]
    '4'
    """
    return {
        variable(section.name, field.name): _text(getattr(getattr(settings, section.name), field.name))
        for section in msgspec.structs.fields(Settings)
        for field in msgspec.structs.fields(getattr(settings, section.name))
    }


def child_environment(
    settings: Settings, env: Mapping[str, str] = os.environ, *, config: Path | None = None
) -> dict[str, str]:
    """Return the environment of a child process: ours, with these settings in place of any others.

    Args:
        settings: what it is told.
        env: ours.
        config: a settings file of the child that holds the passwords among them, which variables then do not.
    """
    ours = {name: value for name, value in env.items() if not name.startswith("DRIFTLINE_")}
    if config is None:
        return {**ours, **variables(settings)}
    told = variables(settings)
    for section in msgspec.structs.fields(Settings):
        for field in msgspec.structs.fields(section.type):
            if isinstance(field.default, Secret):
                del told[variable(section.name, field.name)]
    return {**ours, **told, "DRIFTLINE_CONFIG": str(config)}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
