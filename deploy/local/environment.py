"""Settings as environment variables, to hand them to a child process unchanged."""

from __future__ import annotations

import msgspec

from driftline.schemas.settings import Settings
from driftline.schemas.sources import variable


def variables(settings: Settings) -> dict[str, str]:
    """Return DRIFTLINE_<SECTION>_<FIELD> for every setting that is not its default.

    >>> variables(Settings())
    {}
    """
    found: dict[str, str] = {}
    for section in msgspec.structs.fields(Settings):
        held, default = getattr(settings, section.name), section.default
        for field in msgspec.structs.fields(held):
            value = getattr(held, field.name)
            if value != getattr(default, field.name):
                found[variable(section.name, field.name)] = _text(value)
    return found


def addresses(settings: Settings) -> dict[str, str]:
    """Return the variables that say where Kafka and ClickHouse are, default or not."""
    return {
        variable("kafka", "bootstrap"): settings.kafka.bootstrap,
        variable("clickhouse", "host"): settings.clickhouse.host,
        variable("clickhouse", "port"): str(settings.clickhouse.port),
    }


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
