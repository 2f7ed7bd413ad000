"""`--columns mapping.toml`: a person's word on what columns are, laid over the guess.

[columns]
age = {role = "feature", type = "number"}
region = {role = "feature", type = "category", segment = true, policy = "hashed"}
internal_note = "ignore"
"""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, cast

import pyarrow as pa

from driftline.deploy.tables.errors import TableError, suggestion
from driftline.deploy.tables.fit import fits
from driftline.deploy.tables.guess import epoch_unit, is_number
from driftline.deploy.tables.roles import POLICIES, ROLES, TYPES, ColumnPlan, TablePlan
from driftline.deploy.tables.scan import is_text
from driftline.schemas.whole import read_whole

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from driftline.agents.emit.options import Treatment
    from driftline.deploy.tables.scan import Facts

KEYS = ("role", "type", "policy", "segment")


def read_mapping(path: Path) -> dict[str, dict[str, object]]:
    """Read a mapping file: column name -> its keys (`role`, `type`, `policy`, `segment`), values checked.

    Raises:
        TableError: the file is missing, is no TOML, or holds an unknown key or value; the sentence names it.

    """
    try:
        document = tomllib.loads(read_whole(path).decode())
    except FileNotFoundError:
        raise TableError(f"there is no mapping file {path}: check the path given with --columns") from None
    except OSError as error:
        raise TableError(f"the mapping file {path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise TableError(f"{path} is no TOML file: {error}") from error
    for key in document:
        if key != "columns":
            raise TableError(f"{path} has an unknown table {key!r}: {suggestion(key, ['columns'])}")
    columns = document.get("columns", {})
    if not isinstance(columns, dict) or not columns:
        raise TableError(f'{path} maps no column: write [columns] and lines as age = {{role = "feature"}}')
    return {name: _checked(path, name, entry) for name, entry in columns.items()}


def apply_mapping(
    plan: TablePlan,
    mapping: Mapping[str, Mapping[str, object]],
    facts: Sequence[Facts],
    *,
    strict: bool = True,
) -> TablePlan:
    """Lay a mapping over a guess.

    A column given a role that at most one column may have (`timestamp`, `id`, …) takes it from the guessed
    one.

    Args:
        plan: the guess.
        mapping: as `read_mapping` returns it.
        facts: the facts the guess was made from.
        strict: whether a mapped column that the table lacks is an error.

    Raises:
        TableError: the mapping names a column the table lacks, or a role or type its values cannot have.

    """
    by_name = {one.name: one for one in facts}
    if strict:
        for name in mapping:
            if name not in by_name:
                raise TableError(
                    f"the mapping names a column {name!r} that is not there: {suggestion(name, by_name)}"
                )
    claimed = {str(entry["role"]) for entry in mapping.values() if "role" in entry} - {
        "feature",
        "score",
        "segment",
    }
    columns = []
    for one in plan.columns:
        entry = mapping.get(one.name)
        if entry is not None:
            columns.append(_mapped(one, entry, by_name[one.name]))
        elif one.role in claimed and one.role != "ignore":
            reason = f"the mapping names another column as {one.role}"
            columns.append(ColumnPlan(one.name, "ignore", reason=reason))
        else:
            columns.append(one)
    return TablePlan(tuple(columns))


def _checked(path: Path, name: str, entry: object) -> dict[str, object]:
    """Check one line; a bare text is a role."""
    where = f"{path}, column {name!r}"
    keys = {"role": entry} if isinstance(entry, str) else entry
    if not isinstance(keys, dict):
        raise TableError(f'{where}: {entry!r} is no mapping: write {{role = "feature"}} or just "feature"')
    for key in keys:
        if key not in KEYS:
            raise TableError(f"{where}: unknown key {key!r}: {suggestion(key, KEYS)}")
    for key, allowed in (("role", ROLES), ("policy", POLICIES)):
        if key in keys and keys[key] not in allowed:
            raise TableError(f"{where}: unknown {key} {keys[key]!r}: {suggestion(str(keys[key]), allowed)}")
    if not isinstance(keys.get("segment", False), bool):
        raise TableError(f"{where}: segment is {keys['segment']!r}: write true or false")
    return keys


def _mapped(guessed: ColumnPlan, entry: Mapping[str, object], one: Facts) -> ColumnPlan:
    role = str(entry.get("role", guessed.role))
    if role == "ignore" and "role" not in entry:
        raise TableError(
            f"column {one.name!r} is left out ({guessed.reason}): give it a role in the mapping, or "
            "take the line out"
        )
    kind = str(entry["type"]) if "type" in entry else _default_type(role, guessed, one)
    known = TYPES.get(role, ())
    if kind and kind not in known:
        hint = suggestion(kind, known) if known else f"a {role} column takes no type"
        raise TableError(f"column {one.name!r} cannot be read as {kind!r} in the role {role!r}: {hint}")
    _check_values(one, role, kind)
    return ColumnPlan(
        one.name,
        role,
        kind,
        policy=cast("Treatment", entry.get("policy", guessed.policy)),
        reason="as the mapping says",
        segment=bool(entry.get("segment", guessed.segment)) and role != "segment",
    )


def _default_type(role: str, guessed: ColumnPlan, one: Facts) -> str:
    if guessed.role == role and guessed.type:
        return guessed.type
    if role == "timestamp":
        return _time_type(one)
    numeric = role == "score" or (role == "feature" and is_number(one.type))
    return "number" if numeric else ("category" if role == "feature" else "")


def _time_type(one: Facts) -> str:
    if is_text(one.type):
        return "text"
    if pa.types.is_integer(one.type) and one.low is not None:
        return epoch_unit(one.low, one.high) or "s"
    return "datetime"


def _check_values(one: Facts, role: str, kind: str) -> None:
    """Refuse a role or type that the column's values cannot have."""
    if not fits(one.type, role, kind):
        what = f"the role {role!r}" + (f" read as {kind!r}" if kind else "")
        raise TableError(f"column {one.name!r} holds values of type {one.type}, which cannot have {what}")
