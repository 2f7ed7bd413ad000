"""The steps of the Dockerfile that need no Docker, done in an empty folder."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from composed import compose_file, parts_of
from dockerfile import Context, carry_out, stages


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_image_is_built_and_runs_every_command(checkout: Path, tmp_path: Path) -> None:
    """The stage `build` ends well, from hashed distributions and the files that are given to it alone.

    What it leaves has no pip and no setuptools, and runs the commands of all services, away from the checkout.
    """
    carry_out(stages(checkout / "deploy/containers/Dockerfile")["build"], Context(checkout), tmp_path)
    there = tmp_path / "opt/driftline"
    assert not list(there.glob("lib/python3*/site-packages/pip"))
    assert not list(there.glob("lib/python3*/site-packages/setuptools"))
    for part in parts_of(compose_file(checkout)).values():
        words = [word for word in part.argv if not word.startswith(("-", "/"))]
        subprocess.run(
            [there / "bin/driftline", *words, "--help"], cwd=tmp_path, env={"PATH": "/usr/bin:/bin"},
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip
    probe = "from driftline.streams.clickhouse.migrate import shipped; print(len(shipped()))"
    said = subprocess.run(
        [there / "bin/python", "-c", probe], cwd=tmp_path, check=True, capture_output=True, text=True
    )
    assert int(said.stdout) > 0
