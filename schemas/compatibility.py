"""Full compatibility of two versions of a schema: each reads what the other wrote, and means the same by it.

Stricter than Avro's own rules (specification 1.12, "Schema Resolution"), which promote int to long one way
only: here both ways must hold, so a field keeps its type, and fields come and go only with a default.
"""

from __future__ import annotations

from typing import Any

Named = dict[str, Any]


def faults(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """One sentence for each way in which two versions of a record are not fully compatible.

    `old` and `new` are schemas as JSON has them, or as fastavro parsed them.
    """
    return list(dict.fromkeys(_differences(old, new, "", ({}, {}), set())))


def _differences(old: Any, new: Any, path: str, named: tuple[Named, Named], seen: set[str]) -> list[str]:  # noqa: ANN401 - a schema is any JSON
    old, new = _resolved(old, named[0]), _resolved(new, named[1])
    kinds = _kind(old), _kind(new)
    if kinds[0] != kinds[1]:
        return [f"{path or 'the record'} was {kinds[0]} and is {kinds[1]}; a type cannot change both ways"]
    if kinds[0] == "union":
        return _union(old, new, path, named, seen)
    if kinds[0] == "array":
        return _differences(old["items"], new["items"], f"{path}[]", named, seen)
    if kinds[0] == "map":
        return _differences(old["values"], new["values"], f"{path}{{}}", named, seen)
    return _named(old, new, path, named, seen) if isinstance(old, dict) and "name" in old else []


def _named(old: Named, new: Named, path: str, named: tuple[Named, Named], seen: set[str]) -> list[str]:
    found: list[str] = []
    if old["name"].split(".")[-1] != new["name"].split(".")[-1]:
        found.append(f"{path or 'the record'} was named {old['name']} and is named {new['name']}")
    if old.get("symbols") != new.get("symbols"):
        found.append(f"{path} has other symbols; an older reader cannot know the new ones")
    if old.get("size") != new.get("size"):
        found.append(f"{path} was {old['size']} bytes and is {new['size']}")
    if old["type"] == "record" and old["name"] not in seen:
        found += _record(old, new, path, named, {*seen, old["name"]})
    return found


def _record(old: Named, new: Named, path: str, named: tuple[Named, Named], seen: set[str]) -> list[str]:
    before = {field["name"]: field for field in old["fields"]}
    after = {field["name"]: field for field in new["fields"]}
    found: list[str] = []
    for name, field in before.items():
        here = f"{path}.{name}".lstrip(".")
        if name in after:
            found += _differences(field["type"], after[name]["type"], here, named, seen)
            if field.get("default", ...) != after[name].get("default", ...):
                found.append(f"{here} has another default")
        elif "default" not in field:
            found.append(f"{here} is gone and had no default; older readers need it")
    for name, field in after.items():
        if name not in before and "default" not in field:
            found.append(f"{f'{path}.{name}'.lstrip('.')} is new and has no default; older bytes lack it")
    return found


def _union(
    old: list[Any], new: list[Any], path: str, named: tuple[Named, Named], seen: set[str]
) -> list[str]:
    if len(old) != len(new):
        return [f"{path} has another number of branches"]
    pairs = zip(old, new, strict=True)
    return [fault for one, other in pairs for fault in _differences(one, other, path, named, seen)]


def _resolved(schema: Any, named: Named) -> Any:  # noqa: ANN401 - a schema is any JSON
    """The definition behind a name, and a definition's name noted for later."""
    if isinstance(schema, str):
        return named.get(schema.split(".")[-1], schema)
    if isinstance(schema, dict) and "name" in schema:
        named[schema["name"].split(".")[-1]] = schema
    return schema


def _kind(schema: Any) -> str:  # noqa: ANN401 - a schema is any JSON
    if isinstance(schema, list):
        return "union"
    kind = schema["type"] if isinstance(schema, dict) else schema
    return kind if isinstance(kind, str) else _kind(kind)
