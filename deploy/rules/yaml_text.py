"""YAML of plain data: mappings, lists, texts, numbers; a text that is no plain word is quoted."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLAIN: Final = re.compile(r"[A-Za-z][A-Za-z_.-]*")
_WORDS: Final = frozenset(("true", "false", "yes", "no", "on", "off", "null", "y", "n"))

Plain = Mapping[str, "Plain"] | Sequence["Plain"] | str | int | float | bool


def yaml_text(value: Plain, *comment: str) -> str:
    """Give a document as YAML, two spaces a level.

    >>> print(yaml_text({"groups": [{"name": "a", "rules": []}]}, "Built."), end="")
    # Built.
    groups:
      - name: a
        rules: []
    """
    return "\n".join([*(f"# {line}" for line in comment), *_lines(value)]) + "\n"


def _lines(value: Plain) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, held in value.items():
            yield from _entry(f"{key}:", held)
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for held in value:
            first, *rest = _lines(held)
            yield f"- {first}"
            yield from (f"  {line}" for line in rest)
    else:
        yield _scalar(value)


def _entry(key: str, held: Plain) -> Iterator[str]:
    if isinstance(held, Mapping | Sequence) and not isinstance(held, str) and held:
        yield key
        yield from (f"  {line}" for line in _lines(held))
    else:
        yield f"{key} {_scalar(held)}"


def _scalar(value: Plain) -> str:
    if isinstance(value, str):
        if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
            return value
        if '"' in value and "\n" not in value:
            return "'" + value.replace("'", "''") + "'"
    return json.dumps(value, ensure_ascii=False)
