"""The settings of a deployment as a person writes them: a TOML file, read key by key, each fault one sentence."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, Final, Never, TypeVar, get_args, get_origin

import msgspec

from driftline.schemas.deployment import COUNTED, About, DeploymentSettings, Mute, Name
from driftline.schemas.deployment_rules import contradiction
from driftline.schemas.floors import METRICS, Floor, Limit
from driftline.schemas.sources import SHOWN_CHARS, SettingsError, Source, convert, nearest, read_document

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

S = TypeVar("S", bound=msgspec.Struct)

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)

Moment = Annotated[
    datetime, msgspec.Meta(description="a time with its zone, as in 2026-12-24T00:00:00Z", tz=True)
]


class _MuteTable(msgspec.Struct, frozen=True, kw_only=True):
    """A mute as it is written, in times of a calendar."""

    since: Moment
    until: Moment
    reason: Name
    about: About = ()


class _FloorTable(msgspec.Struct, frozen=True, kw_only=True):
    """A floor as it is written: what is left out is the default of the metric."""

    warn: Limit | None = None
    fail: Limit | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """A key of a file, as errors name it."""

    file: str
    key: str = ""

    def below(self, name: str) -> _Place:
        return _Place(self.file, f"{self.key}.{name}" if self.key else name)

    def item(self, number: int) -> _Place:
        return _Place(self.file, f"{self.key}[{number}]")

    def refuse(self, why: str) -> Never:
        raise SettingsError(f"{self.file}: {self.key} {why}")


def read_deployment(path: Path) -> DeploymentSettings:
    """The settings that a file holds.

    Raises:
        SettingsError: the file cannot be read or is no TOML; a key is unknown, which names the nearest one; a key is
            lacking; a value is not allowed, which names file, key, value and what is; settings contradict one another.
    """
    document = read_document(path)
    if document.get("resolutions") == []:  # of a file alone: the audit may hold one
        wanted = "it must name a width, or be left out for those of the profile"
        raise SettingsError(f"{path}: resolutions is []; {wanted}")
    return parse_deployment(document, str(path))


def parse_deployment(document: Mapping[str, Any], file: str) -> DeploymentSettings:
    """The settings that the tables of a TOML document hold; `file` is its name in errors, which are as above."""
    place = _Place(file)
    read = _struct(DeploymentSettings, document, place)
    settings = msgspec.structs.replace(
        read, resolutions=_ordered(read.resolutions, COUNTED), baselines=tuple(sorted(read.baselines))
    )
    wrong = contradiction(settings)
    if wrong is not None:
        place.below(wrong[0]).refuse(wrong[1])
    return settings


def _struct(kind: type[S], given: Any, place: _Place) -> S:  # noqa: ANN401 - what TOML gives has any type
    """A table as a struct, its keys one by one."""
    if not isinstance(given, dict):
        place.refuse(f"is {repr(given)[:SHOWN_CHARS]}; it must be a table")
    fields = {field.name: field for field in msgspec.structs.fields(kind)}
    for name in given:
        if name not in fields:
            raise SettingsError(
                f"{place.file} has the unknown key {place.below(name).key}{nearest(name, fields)}"
            )
    for name, field in fields.items():
        if field.required and name not in given:
            place.below(name).refuse(f"is lacking; it must be {_allowed(field.type)}")
    return kind(
        **{name: _value(fields[name].type, value, place.below(name)) for name, value in given.items()}
    )


def _value(kind: Any, given: Any, place: _Place) -> Any:  # noqa: ANN401 - a setting has any type
    """A given value as its type."""
    leaf = _without_none(kind)
    plain = leaf.__origin__ if get_origin(leaf) is Annotated else leaf
    if plain is Mute:
        return _mute(given, place)
    if isinstance(plain, type) and issubclass(plain, msgspec.Struct):
        return _struct(plain, given, place)
    inner = get_args(plain)
    if get_origin(plain) is dict:
        return _map(inner[1], given, place)
    if get_origin(plain) is tuple and isinstance(inner[0], type) and issubclass(inner[0], msgspec.Struct):
        if not isinstance(given, list):
            shown = repr(given)[:SHOWN_CHARS]
            place.refuse(f"is {shown}; it must be tables, each below a line [[{place.key}]]")
        return tuple(_value(inner[0], each, place.item(number)) for number, each in enumerate(given, 1))
    if plain is datetime and isinstance(given, datetime):
        given = given.isoformat()
    return convert(Source(f"{place.file}: {place.key}", given, text=False), leaf)


def _map(kind: Any, given: Any, place: _Place) -> dict[str, Any]:  # noqa: ANN401 - as above
    """A table whose keys are names: of metrics for floors, else whatever the model calls its columns."""
    if not isinstance(given, dict):
        place.refuse(f"is {repr(given)[:SHOWN_CHARS]}; it must be a table")
    if kind is not Floor:
        return {name: _value(kind, value, place.below(name)) for name, value in given.items()}
    for name in given:
        if name not in METRICS:
            raise SettingsError(
                f"{place.file} has the unknown key {place.below(name).key}{nearest(name, METRICS)}"
            )
    return {name: _floor(name, value, place.below(name)) for name, value in given.items()}


def _floor(metric: str, given: Any, place: _Place) -> Floor:  # noqa: ANN401 - as above
    table = _struct(_FloorTable, given, place)
    default = METRICS[metric].floor
    return Floor(
        warn=default.warn if table.warn is None else table.warn,
        fail=default.fail if table.fail is None else table.fail,
    )


def _mute(given: Any, place: _Place) -> Mute:  # noqa: ANN401 - as above
    table = _struct(_MuteTable, given, place)
    since, until = ((moment - EPOCH) // MILLISECOND for moment in (table.since, table.until))
    return Mute(since_ms=since, until_ms=until, reason=table.reason, about=table.about)


def _ordered(given: tuple[Any, ...], order: tuple[str, ...]) -> tuple[Any, ...]:
    """In the order of the list of all, so that one content has one form."""
    return tuple(sorted(given, key=order.index))


def _allowed(kind: Any) -> str:  # noqa: ANN401 - as above
    return next(str(meta.description) for meta in kind.__metadata__ if isinstance(meta, msgspec.Meta))


def _without_none(kind: Any) -> Any:  # noqa: ANN401 - as above
    """The type of a value that may be left out: TOML has no null."""
    left = [each for each in get_args(kind) if each is not type(None)]
    return left[0] if type(None) in get_args(kind) and len(left) == 1 else kind
