"""Day key: the name of a day's outcomes in the stored state of the join."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from driftline.streams.join.kept import CellKey

DAY_KEY: Final = b"d"


def day_key(name: str, day: CellKey) -> bytes:
    """The key of a day of a deployment."""
    return DAY_KEY + msgspec.msgpack.encode((name, day.version, day.slot, day.start_ms))
