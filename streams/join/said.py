"""Said: what was said last of windows that are cold, as it is stored, so that a restart does not say it again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from driftline.streams.join.due import is_hot
from driftline.streams.windows.resolution import DAY_MS, MERGED
from driftline.streams.windows.window import Window

if TYPE_CHECKING:
    from driftline.streams.join.hot import Hot

SAID_KEY: Final = b"w"


def said_records(hot: Hot) -> list[tuple[bytes, bytes | None]]:
    """Give the stored record of a deployment, if it is another than before."""
    found: dict[tuple[str, str], dict[str, list[tuple[int, bool | None]]]] = {}
    for window, said in sorted(hot.said.items(), key=lambda one: one[0]):
        # A hot window is published after a restart, whatever was said of it.
        if window.resolution in MERGED or (window.resolution == "1d" and not is_hot(hot, window)):
            mine = found.setdefault(window[:2], {}).setdefault(window.resolution, [])
            mine.append((window.start_ms // DAY_MS, said))
    value = msgspec.msgpack.encode([(*of, windows) for of, windows in found.items()])
    if value == hot.stored_said or not (found or hot.stored_said):
        return []
    hot.stored_said = value
    return [(SAID_KEY + hot.name.encode(), value)]


def take_up_said(hot: Hot, value: bytes) -> None:
    """Take up a stored record."""
    hot.stored_said = value
    for version, slot, windows in msgspec.msgpack.decode(value):
        for resolution, days in windows.items():
            hot.said |= {Window(version, slot, resolution, day * DAY_MS): said for day, said in days}
