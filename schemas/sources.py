"""Where settings come from: TOML files and environment variables, and the sentence when one is wrong."""

from __future__ import annotations

import difflib
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Never

import msgspec

from driftline.schemas.errors import DriftlineError
from driftline.schemas.whole import read_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_PREFIX: Final = "DRIFTLINE_"
_CONFIG: Final = "DRIFTLINE_CONFIG"
BY_FILE: Final = "_FILE"
"""What a variable ends with that names a file which holds the value: how orchestrators hand over secrets."""
# Variables of the tests' own, those of a command that retrains, and those Kubernetes makes for a service that is
# called driftline.
_FOREIGN: Final = re.compile(
    r"DRIFTLINE_(TEST_.*|RETRAIN_.*|(.*_)?SERVICE_(HOST|PORT)(_.*)?|(.*_)?PORT_\d+_(TCP|UDP)(_.*)?|PORT)"
)
SHOWN_NAMES: Final = 30
SHOWN_CHARS: Final = 100
MOST_BYTES: Final = 1 << 16
"""The longest file that holds one value."""


class SettingsError(DriftlineError):
    """A wrong setting; the text names the variable (or file and key), the value, what is allowed."""


class Secret(str):
    """A text that must not be shown: its repr is three asterisks, also inside that of settings."""

    __slots__ = ()

    def __repr__(self) -> str:
        """Three asterisks, or an empty text when there is no secret."""
        return "'***'" if self else "''"


@dataclass(frozen=True, slots=True)
class Source:
    """A value as it was given, and the place to name when it is wrong."""

    place: str
    value: Any
    text: bool
    """True for a variable, whose text may stand for a number or a boolean; TOML has types of its own."""


Known = dict[str, dict[str, msgspec.structs.FieldInfo]]
Given = dict[tuple[str, str], Source]


def file_named(env: Mapping[str, str], file: Path | None) -> Path | None:
    """The file given, the one DRIFTLINE_CONFIG names, else driftline.toml if it is there."""
    if file is not None:
        return file
    if env.get(_CONFIG):
        return Path(env[_CONFIG])
    beside = Path("driftline.toml")
    return beside if beside.is_file() else None


def read_document(path: Path) -> dict[str, Any]:
    """The tables of a TOML file; raises SettingsError for one that cannot be read or is no TOML."""
    try:
        return tomllib.loads(read_whole(path).decode())
    except OSError as error:
        message = f"the settings file {path} cannot be read: {error.strerror}"
        raise SettingsError(message) from error
    except (ValueError, RecursionError) as error:
        message = f"the settings file {path} is no TOML: {error}"
        raise SettingsError(message) from error


def read_file(path: Path, known: Known) -> Given:
    """Values of a TOML file; raises SettingsError for an unreadable one and for unknown sections or keys."""
    given: Given = {}
    for section, table in read_document(path).items():
        if section not in known:
            message = f"{path} has the unknown section [{section}]{nearest(section, known)}"
            raise SettingsError(message)
        if not isinstance(table, dict):
            message = f"{path}: {section} is {table!r} and must be a section, [{section}]"
            raise SettingsError(message)
        for name, value in table.items():
            if name not in known[section]:
                message = f"{path} has the unknown key {section}.{name}{nearest(name, known[section])}"
                raise SettingsError(message)
            given[section, name] = Source(f"{path}: {section}.{name}", value, text=False)
    return given


def read_variables(env: Mapping[str, str], known: Known) -> Given:
    """Values of DRIFTLINE_<SECTION>_<FIELD>, or of the file that DRIFTLINE_<SECTION>_<FIELD>_FILE names.

    Raises:
        SettingsError: a variable is no setting (no typo passes), a file cannot be read, or both forms are given.
    """
    names = {variable(section, name): (section, name) for section, fields in known.items() for name in fields}
    given: Given = {}
    for key, value in env.items():
        unsuffixed = key.removesuffix(BY_FILE)
        if key in names:
            given[names[key]] = Source(key, value, text=True)
        elif unsuffixed in names:
            if unsuffixed in env:
                message = f"{unsuffixed} and {key} are both set, and say the same setting: unset one of them"
                raise SettingsError(message)
            given[names[unsuffixed]] = Source(
                f"{value}, which {key} names,", _value_in(key, value), text=True
            )
        elif key.startswith(_PREFIX) and key != _CONFIG and not _FOREIGN.fullmatch(key):
            # The prefix is taken away: it alone would make any two names look alike.
            plain = {name.removeprefix(_PREFIX): name for name in names}
            near = difflib.get_close_matches(key.removeprefix(_PREFIX), plain, n=1)
            sections = ", ".join(name.upper() for name in known)
            hint = (
                f"did you mean {plain[near[0]]}?"
                if near
                else f"names are DRIFTLINE_<SECTION>_<FIELD>; sections: {sections}"
            )
            message = f"the variable {key} is no setting; {hint}"
            raise SettingsError(message)
    return given


def _value_in(key: str, path: str) -> str:
    """The text of a file without the end of its last line, which editors and `echo` add."""
    try:
        text = read_whole(Path(path), MOST_BYTES).decode()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text in UTF-8"
        message = f"{key} names {path!r}, which cannot be read: {why}"
        raise SettingsError(message) from error
    return text.removesuffix("\n").removesuffix("\r")


def variable(section: str, name: str) -> str:
    """Name of the environment variable of a setting."""
    return f"{_PREFIX}{section}_{name}".upper()


def convert(source: Source, kind: Any) -> Any:  # noqa: ANN401 - a setting has any type
    """A given value as its type; raises SettingsError that names place, value and what is allowed."""
    allowed = next(meta.description for meta in kind.__metadata__ if isinstance(meta, msgspec.Meta))
    try:
        return msgspec.convert(source.value, kind, strict=not source.text, dec_hook=_secret)
    except (msgspec.ValidationError, OverflowError) as error:
        secret = kind.__origin__ is Secret
        shown = "(hidden)" if secret else repr(source.value)[:SHOWN_CHARS]
        message = f"{source.place} is {shown}; it must be {allowed}"
        if str(source.value).startswith("tcp://"):
            message += " (Kubernetes sets this for a service of that name; set enableServiceLinks: false)"
        raise SettingsError(message) from (None if secret else error)


def refuse(places: Mapping[tuple[str, str], str], section: str, name: str, why: str) -> Never:
    """Raise SettingsError for a setting that contradicts another one, naming where it was given or can be."""
    place = places.get((section, name), f"{variable(section, name)} (or {section}.{name} in driftline.toml)")
    message = f"{place} {why}"
    raise SettingsError(message)


def _secret(kind: type, value: object) -> Secret:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    message = "not a text"
    raise msgspec.ValidationError(message)


def nearest(word: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word: the known one it is near to, else all of them, or the first ones.

    >>> nearest("chrun", ["churn"]), nearest("x", ["a", "b"]), nearest("x", [])
    ('; did you mean churn?', '; there are a, b', '; there is none yet')
    """
    names = sorted(known)
    if not names:
        return "; there is none yet"
    found = difflib.get_close_matches(word, names, n=1, cutoff=0.6)
    if found:
        return f"; did you mean {found[0]}?"
    more = len(names) - SHOWN_NAMES
    return f"; there are {', '.join(names[:SHOWN_NAMES])}" + (f" and {more} more" if more > 0 else "")
