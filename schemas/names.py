"""What deployments, versions, slots and columns may be called: one rule for emitters and readers."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from driftline.schemas.refusal import Refused

if TYPE_CHECKING:
    from collections.abc import Collection

MAX_NAME_CHARS: Final = 200
MAX_COLUMNS: Final = 4_096


def name_fault(value: str, *, slash: bool = True) -> str | None:
    """Say what is wrong with a name, or None: 1 to 200 printable characters, no space at either end.

    `slash=False` also forbids "/", which separates deployment from version in keys.
    """
    if not value:
        return "it is empty"
    if len(value) > MAX_NAME_CHARS:
        return f"it has {len(value):,} characters; at most {MAX_NAME_CHARS} are allowed"
    if not value.isprintable() or value != value.strip():
        return "it has a character that does not print, or a space at an end"
    if not slash and "/" in value:
        return 'it has a "/", which separates deployment from version'
    return None


def check_deployment(value: str) -> None:
    """Raise Refused (`impossible_value`) unless the value can name a deployment."""
    _check("deployment", value, slash=False)


def check_label(what: str, value: str) -> None:
    """Raise Refused (`impossible_value`) unless the value can name a version, a slot or an instance."""
    _check(what, value, slash=True)


def check_columns(what: str, names: Collection[str]) -> None:
    """Raise Refused unless the names of one group of columns (`what`) are names, unique and not too many.

    Reasons: `too_large` past 4,096 columns, `bad_shape` for a name used twice, `impossible_value` for no name
    at all.
    """
    if len(names) > MAX_COLUMNS:
        raise Refused("too_large", f"{len(names):,} {what}; at most {MAX_COLUMNS:,} are allowed")
    if len(set(names)) != len(names):
        twice = Counter(names).most_common(1)[0][0]
        raise Refused("bad_shape", f"{what} name {twice[:MAX_NAME_CHARS]!r} stands twice")
    for name in names:
        # Most names are identifiers; the slower test is for the rest.
        if not (name.isidentifier() and len(name) <= MAX_NAME_CHARS):
            _check(f"{what} name", name, slash=True)


def _check(what: str, value: str, *, slash: bool) -> None:
    fault = name_fault(value, slash=slash)
    if fault is not None:
        raise Refused("impossible_value", f"{what} {value[:MAX_NAME_CHARS]!r} is no name: {fault}")
