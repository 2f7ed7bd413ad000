"""Records of a newer schema version, seen as an older one wrote them."""

from __future__ import annotations

from typing import Any


def as_written(record: Any, written: Any) -> Any:
    """Leave out of a record, at any depth, the fields that the written one does not have."""
    if isinstance(record, dict) and isinstance(written, dict):
        return {key: as_written(record[key], value) for key, value in written.items() if key in record}
    if isinstance(record, list) and isinstance(written, list) and len(record) == len(written):
        return [as_written(mine, theirs) for mine, theirs in zip(record, written, strict=True)]
    return record
