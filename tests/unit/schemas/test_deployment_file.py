"""A settings file, beyond its keys and values."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftline.schemas.deployment_file import read_deployment
from driftline.schemas.sources import SettingsError


def test_a_file_that_names_no_width_is_refused(tmp_path: Path) -> None:
    """An empty list asks for no windows at all, which nobody gets: it is said, and not read as the profile's widths."""
    (tmp_path / "d.toml").write_text('deployment = "d"\nresolutions = []\n', encoding="utf-8")
    with pytest.raises(
        SettingsError, match=r"d.toml: resolutions is \[\]; it must name a width, or be left out"
    ):
        read_deployment(tmp_path / "d.toml")
