"""A script of this folder in a process of its own, and the figures that it prints."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def said(command: list[str], env: Mapping[str, str], within_s: float = 300) -> str:
    """Run a command to its end; give what it printed.

    Raises:
        RuntimeError: it failed; with the last line of its errors.
    """
    done = subprocess.run(
        command, env=dict(env), check=False, capture_output=True, text=True, timeout=within_s
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no reason was given"])[-1].strip()
        name = " ".join(Path(part).name for part in command[1:3])
        raise RuntimeError(f"{name} ended with code {done.returncode}: {last}")
    return done.stdout


def figures(script: str, arguments: list[str], env: Mapping[str, str]) -> dict[str, Any]:
    """Run a script of this folder; give the JSON of its last line.

    Raises:
        RuntimeError: it failed; with the last line of its errors.
    """
    command = [sys.executable, str(Path(__file__).with_name(script)), *arguments]
    found: dict[str, Any] = json.loads(said(command, env).splitlines()[-1])
    return found
