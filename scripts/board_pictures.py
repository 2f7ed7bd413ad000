"""Take the pictures of docs/board.md again: a real Chromium looks at a board over seeded tables.

Usage: scripts/board_pictures.py [FOLDER]; without one they are written to docs/images. pngquant, where it is installed,
makes them smaller.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from board_browser import Browser, chromium
from board_world import world
from filled_tables import fill

from driftline.streams.clickhouse.client import Client

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
DEPLOYMENTS, DAYS = 24, 30
# The tables of the tests show everything at once; a fleet as it mostly is shows what the pictures are for.
CALM = """
INSERT INTO windows SELECT * REPLACE (version + 1 AS version, arrayMap((verdict, kind) -> multiIf(
    verdict = '', '',
    kind = 'drift' AND deployment IN ('deployment-3', 'deployment-11') AND window_start > now() - toIntervalDay(12),
    'fail',
    kind = 'performance' AND deployment = 'deployment-3' AND window_start > now() - toIntervalDay(6), 'warn',
    kind = 'performance' AND cityHash64(deployment, window_start) % 19 = 0, 'inconclusive',
    kind = 'drift' AND cityHash64(window_start, deployment) % 31 = 0, 'warn',
    'ok'), figures.verdict, figures.kind) AS `figures.verdict`)
FROM windows
"""
PICTURES: tuple[tuple[str, str, str, tuple[int, int], dict[str, str]], ...] = (
    ("fleet", "light", "light", (1280, 1080), {}),
    ("deployment", "dark", "dark", (1280, 1000), {"deployment": "deployment-3"}),
    ("fleet", "phone", "light", (375, 1000), {}),
)


def main(arguments: Sequence[str]) -> int:
    """Take them all; last that of a ClickHouse that is away."""
    folder = Path(arguments[0]) if arguments else IMAGES
    folder.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as data,
        world(Path(data), partial(fill, deployments=DEPLOYMENTS, days=DAYS)) as board,
        chromium() as browser,
    ):
        with Client(board.settings.clickhouse) as client:
            client.command(CALM)
        for name, word, scheme, size, picked in PICTURES:
            browser.look(size, scheme)
            browser.open(board.address(name, **picked))
            _take(browser, folder / f"board-{name}-{word}.png")
        board.clickhouse.kill()
        browser.look((1280, 700))
        browser.open(board.address("fleet"))
        _take(browser, folder / "board-away.png")
    return 0


def _take(browser: Browser, file: Path) -> None:
    browser.shoot(str(file))
    if shutil.which("pngquant"):
        words = ["--force", "--ext", ".png", "--quality", "80-98", "--strip", str(file)]
        subprocess.run(["pngquant", *words], check=True)
    print(f"{file.name}: {file.stat().st_size:,} bytes")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
