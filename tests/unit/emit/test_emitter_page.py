"""docs/emitter.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from driftline.agents.emit import EmitterOptions, damaged, process
from driftline.agents.emit.ledger import REASONS
from driftline.agents.emit.options import DAY_S, MIB, TREATMENTS, OnFull, Options


@pytest.fixture
def page(checkout: Path) -> str:
    """Return the page."""
    return (checkout / "docs" / "emitter.md").read_text(encoding="utf-8")


def named(page: str, heading: str) -> list[str]:
    """Return the names in the first column of the table below a heading."""
    section = page.split(f"## {heading}\n")[1].split("\n## ", maxsplit=1)[0]
    rows = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    return re.findall(r"`(\w+)`", " ".join(rows))


def test_every_option_is_explained(page: str) -> None:
    """The table has each option once and no other, with every word that it may be."""
    assert sorted(named(page, "What it may be told")) == sorted(EmitterOptions.__annotations__)
    for word in (*TREATMENTS, *get_args(OnFull)):
        assert f"`{word}`" in page


def test_every_reason_is_explained(page: str) -> None:
    """The table has each reason that a row is dropped for, once and no other."""
    assert named(page, "Where a row is") == list(REASONS)


def test_the_defaults_are_those_of_the_code(page: str) -> None:
    """Caps, times and bounds are stated as they are."""
    plain = Options("d", "1")
    assert f"{plain.buffer_events:,} rows, {plain.buffer_bytes // MIB} MiB" in page
    assert f"{plain.spool_bytes // MIB >> 10} GiB, {plain.spool_age_s / DAY_S:g} days" in page
    assert f"{plain.batch_rows} rows, {plain.linger_s:g} s" in page
    for name, value in (("stall_s", plain.stall_s), ("heartbeat_s", plain.heartbeat_s)):
        assert re.search(rf"\| `{name}` \|[^|]*\| {value:g} s \|", page)
    assert f"within {process.EXIT_S:g} s" in page
    assert damaged.KEPT == 4
    assert "the last four are kept" in page
