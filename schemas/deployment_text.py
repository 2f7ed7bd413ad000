"""The settings of a deployment as TOML text: what `read_deployment` reads, without what is the default."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import msgspec

from driftline.schemas.deployment import DeploymentSettings, Mute
from driftline.schemas.deployment_file import EPOCH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")


def deployment_text(settings: DeploymentSettings) -> str:
    """TOML that reads back as the same settings.

    >>> print(deployment_text(DeploymentSettings(deployment="churn", resolutions=("1h",))))
    deployment = "churn"
    resolutions = ["1h"]
    """
    given = _given(settings)
    simple = {name: value for name, value in given.items() if not _is_table(value)}
    lines = list(_assignments(simple))
    for name, value in given.items():
        if name not in simple:
            lines += _tables(name, value)
    return "\n".join(lines)


def moment_text(moment_ms: int) -> str:
    """A time of ms since 1970 as TOML and ISO 8601 write it, in UTC.

    >>> moment_text(1_364_774_400_000)
    '2013-04-01T00:00:00Z'
    """
    text = (EPOCH + timedelta(milliseconds=moment_ms)).isoformat(
        timespec="milliseconds" if moment_ms % 1_000 else "seconds"
    )
    return text.replace("+00:00", "Z")


def _given(struct: msgspec.Struct) -> dict[str, Any]:
    """The fields that differ from their defaults."""
    fields = msgspec.structs.fields(struct)
    values = {field.name: (getattr(struct, field.name), field) for field in fields}
    return {
        name: value
        for name, (value, field) in values.items()
        if value is not None and (field.required or value not in (field.default, {}))
    }


def _is_table(value: object) -> bool:
    return isinstance(value, dict | msgspec.Struct) or (
        isinstance(value, tuple) and isinstance(value[0], msgspec.Struct)
    )


def _tables(name: str, value: Any) -> Iterator[str]:  # noqa: ANN401 - a setting has any type
    """The lines of what does not fit on one."""
    if isinstance(value, tuple):
        for each in value:
            yield from _table(f"[[{name}]]", each)
    elif isinstance(value, msgspec.Struct):
        yield from _table(f"[{name}]", value)
    elif isinstance(next(iter(value.values())), msgspec.Struct):
        for key, each in value.items():
            yield from _table(f"[{name}.{_key(key)}]", each)
    else:
        yield from ("", f"[{name}]", *_assignments({_key(key): each for key, each in value.items()}))


def _table(head: str, struct: msgspec.Struct) -> Iterator[str]:
    yield from ("", head)
    if isinstance(struct, Mute):
        yield f"since = {moment_text(struct.since_ms)}"
        yield f"until = {moment_text(struct.until_ms)}"
    hidden = ("since_ms", "until_ms") if isinstance(struct, Mute) else ()
    yield from _assignments({name: value for name, value in _given(struct).items() if name not in hidden})


def _assignments(values: Mapping[str, Any]) -> Iterator[str]:
    for name, value in values.items():
        shown = f"[{', '.join(map(_quoted, value))}]" if isinstance(value, tuple) else _scalar(value)
        yield f"{name} = {shown}"


def _scalar(value: str | float) -> str:
    return _quoted(value) if isinstance(value, str) else repr(value)


def _key(text: str) -> str:
    return text if _BARE.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    # JSON's escapes are TOML's; but TOML wants DEL escaped too.
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
