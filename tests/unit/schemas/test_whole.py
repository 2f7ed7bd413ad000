"""Files that are read whole, and what may lie under their names instead."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from driftline.schemas.whole import read_whole


def test_a_file_is_read_up_to_its_bound(tmp_path: Path) -> None:
    """All bytes of a file come; one byte more than allowed is refused, and so is a device that never ends."""
    path = tmp_path / "file"
    path.write_bytes(b"x" * 3_000_000)
    assert len(read_whole(path, 3_000_000)) == 3_000_000
    for endless in (path, Path("/dev/zero")):
        with pytest.raises(OSError, match="it has more than 2,999,999 bytes"):
            read_whole(endless, 2_999_999)


def test_a_pipe_without_a_writer_is_refused_at_once(tmp_path: Path) -> None:
    """Nobody waits for a pipe that nobody writes into."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="nobody writes into"):
        read_whole(tmp_path / "pipe")


def test_a_pipe_with_a_writer_is_read_to_its_end() -> None:
    """What a shell hands over as `<(command)` is waited for and read, in however many pieces it comes."""
    reading, writing = os.pipe()
    text = b"y" * 300_000

    def write() -> None:
        with os.fdopen(writing, "wb") as file:
            file.write(text)

    thread = threading.Thread(target=write)
    thread.start()
    try:
        assert read_whole(Path(f"/dev/fd/{reading}")) == text
    finally:
        os.close(reading)
        thread.join()
