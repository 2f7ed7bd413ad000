"""An installation that was seeded before."""

from __future__ import annotations

from pathlib import Path

from driftline.deploy.demo.seed import GENESIS, PARTS, begin
from driftline.schemas.settings import Settings


def test_a_part_that_came_later_pins_the_same(tmp_path: Path) -> None:
    """A second run asks Kafka nothing, gives a new part the pin, for its owner alone, and leaves others as they are."""
    (tmp_path / "office").mkdir()
    (tmp_path / "office" / GENESIS).write_text("ab" * 32 + "\n")
    (tmp_path / "controller").mkdir()
    (tmp_path / "controller" / GENESIS).write_text("theirs")
    assert not begin(Settings(), tmp_path)
    found = {part: (tmp_path / part / GENESIS).read_text().strip() for part in PARTS}
    assert found == {**dict.fromkeys(PARTS, "ab" * 32), "controller": "theirs"}
    assert (tmp_path / "archive" / GENESIS).stat().st_mode & 0o777 == 0o600
