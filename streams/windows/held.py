"""How state lies in a changelog: keys, values, and which of two values of a key is the newer.

Every value opens with the position it has absorbed and a write counter, so that a reader can order two values
of one key without decoding them: the greater head is the longer prefix of the log, whatever order they were
written in. That is what makes a late write of a paused worker harmless.

    byte 0       format (1)
    bytes 1-8    absorbed: the offset of the last message folded in, plus 1 (big-endian, so that bytes compare)
    bytes 9-12   write counter of this key
    bytes 13-    body (msgpack, or a header and the counters of a pane)
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

import msgspec

from driftline.schemas.errors import DriftlineError
from driftline.streams.windows.window import Window

FORMAT: Final = 1
HEAD: Final = struct.Struct(">BQI")
"""Format, absorbed + 1, write counter."""


class StateError(DriftlineError):
    """A value of a changelog cannot be read by this release."""


@dataclass(frozen=True, slots=True)
class PaneKey:
    """The name of one window's state: one deployment, model version, slot, resolution and start."""

    deployment: str
    version: str
    slot: str
    resolution: str
    start_ms: int

    @property
    def window(self) -> Window:
        """The window, without the deployment."""
        return Window(self.version, self.slot, self.resolution, self.start_ms)

    def encode(self) -> bytes:
        """The key of this pane in the changelog."""
        return b"p" + msgspec.msgpack.encode(
            (self.deployment, self.version, self.slot, self.resolution, self.start_ms)
        )


def book_key(deployment: str) -> bytes:
    """The key of a deployment's row: watermark, sequence marks, late days."""
    return b"d" + deployment.encode()


def partition_key(partition: int) -> bytes:
    """The key of a source partition's row, written last in a checkpoint."""
    return b"r%d" % partition


def decode_pane_key(key: bytes) -> PaneKey:
    """The reverse of `PaneKey.encode`."""
    deployment, version, slot, resolution, start_ms = msgspec.msgpack.decode(key[1:])
    return PaneKey(deployment, version, slot, resolution, start_ms)


def seal(absorbed: int, writes: int, body: bytes) -> bytes:
    """A value: its head (absorbed offset, write counter) and its body."""
    return HEAD.pack(FORMAT, absorbed + 1, writes) + body


def unseal(key: bytes, value: bytes) -> tuple[int, int, bytes]:
    """(absorbed offset, write counter, body) of a value.

    Raises:
        StateError: the value has another format.
    """
    form, absorbed, writes = HEAD.unpack_from(value) if len(value) >= HEAD.size else (-1, 0, 0)
    if form != FORMAT:
        message = (
            f"the state of {key!r} has format {form}, this release reads {FORMAT}: "
            "run the release that wrote it, or start a fresh consumer group"
        )
        raise StateError(message)
    return absorbed - 1, writes, value[HEAD.size :]


def is_backward(held: bytes | None, value: bytes | None) -> bool:
    """Whether `value` says less than `held` already does: then it must not replace it.

    A tombstone (None) always replaces; a value never loses to nothing.
    """
    return held is not None and value is not None and value[: HEAD.size] < held[: HEAD.size]
