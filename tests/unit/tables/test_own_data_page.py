"""docs/own-data.md says what the code does."""

from __future__ import annotations

import re
from pathlib import Path

from driftline.deploy.tables.build import CAP_BYTES
from driftline.deploy.tables.mapping import KEYS, read_mapping
from driftline.deploy.tables.order import SORT_CAP_BYTES
from driftline.deploy.tables.resolutions import COUNTED, MINIMUM_ROWS
from driftline.deploy.tables.roles import POLICIES, ROLES, TYPES


def page(checkout: Path) -> str:
    """Read the page on one line."""
    return " ".join((checkout / "docs" / "own-data.md").read_text(encoding="utf-8").split())


def test_every_role_type_policy_and_key_is_named(checkout: Path) -> None:
    """What a mapping may say stands on the page, all of it."""
    text = page(checkout)
    types = {name for names in TYPES.values() for name in names}
    for word in (*ROLES, *POLICIES, *KEYS, *types, *COUNTED):
        assert re.search(rf"\b{re.escape(word)}\b", text), word


def test_the_caps_are_those_of_the_code(checkout: Path) -> None:
    """The bounds on memory and rows are stated as they are."""
    text = page(checkout)
    assert f"up to {SORT_CAP_BYTES >> 30} GiB" in text
    assert f"up to {CAP_BYTES >> 30} GiB of values" in text
    assert f"reach {MINIMUM_ROWS} rows" in text


def test_the_example_is_a_mapping(checkout: Path, tmp_path: Path) -> None:
    """The example on the page is read as it stands."""
    text = (checkout / "docs" / "own-data.md").read_text(encoding="utf-8")
    block = text[text.index("    [columns]") :].split("\n\n")[0]
    (tmp_path / "mapping.toml").write_text("\n".join(line.strip() for line in block.splitlines()))
    assert set(read_mapping(tmp_path / "mapping.toml")) == {"age", "region", "customer", "note"}
