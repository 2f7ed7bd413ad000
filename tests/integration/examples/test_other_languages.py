"""Predictions that Go, Java, curl and a batch job send are stored and counted in the windows of their event times."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from emit_rig import wait_for
from other_languages import DAY_MS, go_program, java_program, lines, ran, sent
from packaged import SIGNER, packed
from real_stack import TestStack
from rig import Crew, archived, dead_letters, published

from driftline.agents.control.keys import public_text
from driftline.agents.emit import Emitter
from driftline.schemas.settings import Settings

PAGE = Path(__file__).parents[3] / "docs" / "other-languages.md"
TODAY_MS = time.time_ns() // 1_000_000 // DAY_MS * DAY_MS
DAYS = {TODAY_MS - 2 * DAY_MS: 30, TODAY_MS - DAY_MS: 12}
COUNTED_S = 90.0


@contextmanager
def agent(env: dict[str, str], folder: Path, deployment: str, token: str) -> Iterator[str]:
    """Run `driftline serve` with a door for one deployment; gives its address."""
    made = packed(folder / "model").folder
    tokens = folder / "tokens.toml"
    tokens.touch(mode=0o600)
    tokens.write_text(f'[tokens]\n"{deployment}" = "{token}"\n')
    words = ["serve", "--port", "0", "--package", str(made), "--deployment", deployment]
    with (folder / "agent.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "driftline.deploy.cli", *words, "--by", public_text(SIGNER.public)],
            env={**env, "DRIFTLINE_SERVE_TOKENS": str(tokens), "DRIFTLINE_SERVE_STATE_DIR": str(folder / "state")},
            stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder,
        )  # fmt: skip
    try:
        assert process.stdout is not None
        found = re.search(r":(\d+)$", process.stdout.readline())
        assert found is not None, (folder / "agent.log").read_text()
        yield f"http://127.0.0.1:{found[1]}"
    finally:
        process.terminate()
        process.communicate(timeout=60)


def curl_of_the_page() -> str:
    """The first block of docs/other-languages.md that begins with curl, as a reader copies it."""
    (block,) = re.findall(r"```sh\n(curl .*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)[:1]
    return str(block)


def batch_job(settings: Settings) -> None:
    """A job as docs/other-languages.md has it: the same rows in the same parts under the same run."""
    with Emitter(
        "of-a-batch", "1", settings=settings, instance="job.0", epoch=TODAY_MS, linger_s=60
    ) as emitter:
        for start_ms, rows in DAYS.items():
            emitter.log_many(
                {"amount": np.arange(rows, dtype=float)},
                np.zeros(rows),
                ids=[f"{start_ms}-{number}" for number in range(rows)],
                at=start_ms + DAY_MS // 2 + np.arange(rows),
            )
            assert emitter.flush(30)


@pytest.mark.timeout(300)
def test_every_language_is_counted_in_the_windows_of_its_events(
    stack: TestStack, lane: Settings, crew: Crew, tmp_path: Path
) -> None:
    """Each row is stored once and counted once on its day, nothing is refused; a batch job that ran twice is one."""
    for role in ("drift", "archive"):
        crew.start(role)
    said = {
        name: sent(program(tmp_path), lane, lines(name, DAYS))
        for name, program in (("of-go", go_program), ("of-java", java_program))
    }
    assert set(said.values()) == {f"sent {sum(DAYS.values())} predictions\n"}
    for _ in range(2):
        batch_job(lane)
    secret = uuid.uuid4().hex
    with agent(stack.env_of(lane), tmp_path, "of-curl", secret) as address:
        day_ms = next(iter(DAYS))
        known = {"AGENT": address, "TOKEN": secret, "AT": str(day_ms + DAY_MS // 2)}
        answer = ran(["bash", "-euc", curl_of_the_page()], env={**os.environ, **known})
        assert '"taken":2,"refused":0' in answer.replace(" ", "")
    whole = {(name, start_ms): rows for name in (*said, "of-a-batch") for start_ms, rows in DAYS.items()}
    wanted = {**whole, ("of-curl", day_ms): 2}

    def counted() -> dict[tuple[str, int], int]:
        return {(one[0], one[3]): rows for one, rows in published(lane).items() if one[2] == "1d"}

    def is_all() -> bool:
        # A row too many would be counted by then too: everything sent is behind what is waited for in its partition.
        return counted() == wanted and sum(archived(lane).values()) == sum(wanted.values())

    wait_for(is_all, f"not {wanted}\nbut {counted()}\n{archived(lane)}\n{crew.tails()}", COUNTED_S)
    assert dead_letters(lane) == {}
