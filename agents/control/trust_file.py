"""The trust file: TOML that people edit, with the names of persons, which go no further than this file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Annotated, Any, Final, NamedTuple

import msgspec

from driftline.agents.control.errors import TrustError
from driftline.agents.control.keys import public_of
from driftline.agents.control.signing import key_id
from driftline.agents.control.trust import all_keys, fault
from driftline.schemas.control.trust import Person, Trust, TrustState
from driftline.schemas.whole import read_whole

MAX_FILE_BYTES: Final = 1 << 20
_PUBLIC_KEY: Final = r"`str` matching regex '\\A[A-Za-z0-9+/]{43}=\\Z'"
Shown = Annotated[str, msgspec.Meta(max_length=200, pattern=r"\A[^\x00-\x1f\x7f-\x9f\u2028\u2029]*\Z")]


class TrustFile(NamedTuple):
    """What a trust file says: the trust that is signed, and names by person id, which are not."""

    trust: Trust
    names: dict[str, str]


class _Named(Person, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: Shown = ""


class _Written(Trust, frozen=True, kw_only=True, forbid_unknown_fields=True):
    persons: tuple[_Named, ...]


def read_trust_file(path: Path) -> TrustFile:
    """Read a trust file.

    Raises:
        TrustError: it cannot be read, is no TOML, has an unknown key or a value that is not allowed, or the trust that
            it says cannot hold, as when a key is named twice.
    """
    try:
        data = read_whole(path, MAX_FILE_BYTES)
    except OSError as error:
        raise TrustError(f"the trust file {path} cannot be read: {error.strerror}") from error
    return parse_trust(data, str(path))


def parse_trust(data: bytes, file: str) -> TrustFile:
    """Read the bytes of a trust file, which errors call `file`; raises as `read_trust_file` does."""
    try:
        document = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise TrustError(f"the trust file {file} is no TOML: {error}") from error
    try:
        found = msgspec.convert(document, type=_Written)
        # Again, by the type that is signed: its bounds are the ones that count.
        trust = msgspec.convert(_without_names(document), type=Trust)
    except msgspec.ValidationError as error:
        said = str(error).replace(
            _PUBLIC_KEY, "a public key, 44 characters as 'driftline keys new' prints them"
        )
        raise TrustError(f"the trust file {file} cannot be used: {said}") from error
    wrong = fault(trust)
    if wrong is not None:
        raise TrustError(f"the trust file {file} cannot be used: {wrong}")
    return TrustFile(trust, {one.id: one.name for one in found.persons if one.name})


def template(installation: str) -> str:
    """A trust file to fill in, for a new installation."""
    return TEMPLATE.format(installation=installation)


def written(state: TrustState) -> str:
    """A trust file that says what holds; without names, which are not in it.

    What was revoked is a comment, and so is whoever has no other key: a trust with it could not be set.
    """
    revoked = {one.key for one in state.revocations}
    gone = {text for text in all_keys(state.trust) if key_id(public_of(text)) in revoked}
    said = msgspec.to_builtins(state.trust)
    tables = [("[root]", said.pop("root"))]
    for name in ("persons", "agents", "witnesses"):
        tables += [(f"[[{name}]]", one) for one in said.pop(name)]
    return "\n".join([_lines(said, gone), *(_table(head, table, gone) for head, table in tables)])


def _table(head: str, table: dict[str, Any], gone: set[str]) -> str:
    if gone.issuperset(table["keys"] if "keys" in table else [table["key"]]):
        return "# revoked: " + "\n# ".join([head, *_lines(table, set()).splitlines()]) + "\n"
    return f"{head}\n{_lines(table, gone)}"


def _lines(table: dict[str, Any], gone: set[str]) -> str:
    return "".join(_line(name, value, gone) for name, value in table.items())


def _line(name: str, value: Any, gone: set[str]) -> str:  # noqa: ANN401 - what a field of trust holds
    # Texts, numbers, and lists of texts are written in TOML as they are in JSON.
    text = f"{name} = {msgspec.json.encode(value).decode()}\n"
    if isinstance(value, str | int):
        return text
    if gone.isdisjoint(value):
        return text
    rows = "".join(f'  {"# revoked: " if one in gone else ""}"{one}",\n' for one in value)
    return f"{name} = [\n{rows}]\n"


def _without_names(document: dict[str, object]) -> dict[str, object]:
    persons = document["persons"]
    if not isinstance(persons, list):
        return document
    return {**document, "persons": [{k: v for k, v in one.items() if k != "name"} for one in persons]}


TEMPLATE: Final = """\
# Who holds which key and which role. 'driftline trust init FILE' makes the first record of the audit of it,
# 'driftline trust set FILE' says it anew. Public keys are what 'driftline keys new' and 'keys list' print.
installation = "{installation}"
origin = "driftline.example/{installation}"
# Keys that sign the states of deployments (of 'driftline controller'), and checkpoints of the audit.
controllers = []
checkpoints = []

# Trust and policy change when `threshold` of these keys sign; keep them apart and offline.
[root]
threshold = 2
keys = []

# `id` is what the audit says; `name` stays in this file. Roles of the packaged policy: engineer, validator, approver,
# operator, steward, automation. kind = "system" for whoever is no human; deployments = ["churn"] to narrow the roles.
[[persons]]
id = "p-1"
name = ""
roles = ["engineer"]
keys = []

# [[agents]]
# id = "serving-1"
# keys = []
# deployments = ["*"]

# [[witnesses]]
# name = "witness.example/1"
# key = ""
"""
