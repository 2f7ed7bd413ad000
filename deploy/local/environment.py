"""Settings as environment variables, to hand them to a child process unchanged."""

from __future__ import annotations

import os
from collections.abc import Mapping

import msgspec

from driftline.schemas.settings import Settings
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


def child_environment(settings: Settings, env: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the environment of a child process: ours, with these settings in place of any others."""
    ours = {name: value for name, value in env.items() if not name.startswith("DRIFTLINE_")}
    return {**ours, **variables(settings)}


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
