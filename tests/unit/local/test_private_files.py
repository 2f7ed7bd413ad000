"""What only its owner may read: files written whole, and folders that others cannot reach."""

from __future__ import annotations

from pathlib import Path

import pytest

from driftline.agents.atomic import write_atomically
from driftline.agents.private import make_private


def test_a_file_is_its_owners_whatever_it_was(tmp_path: Path) -> None:
    """A new file, and one that everybody could read, have the mode 0600, and nothing else lies beside them."""
    old = tmp_path / "old"
    old.write_text("for all")
    old.chmod(0o644)
    for file in (old, tmp_path / "new"):
        write_atomically(file, b"secret")
        assert (file.read_bytes(), file.stat().st_mode & 0o777) == (b"secret", 0o600)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["new", "old"]


def test_a_folder_that_others_reach_is_not_private(tmp_path: Path) -> None:
    """A folder is made with mode 0700; one that others may enter stays as it is, and is told; a file is an error."""
    made = tmp_path / "a" / "b"
    assert make_private(made)
    assert made.stat().st_mode & 0o777 == 0o700
    made.chmod(0o750)
    assert not make_private(made)
    assert made.stat().st_mode & 0o777 == 0o750
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(FileExistsError):
        make_private(file)
