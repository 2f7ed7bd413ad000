"""Virtual environments of peers, made on demand from the pins of `peers/` and kept from run to run."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from child import said

# The peers report their use over the network unless told not to, which is slow and none of their work.
QUIET = {"DO_NOT_TRACK": "1", "NML_DISABLE_USAGE_LOGGING": "1", "WHYLOGS_NO_ANALYTICS": "True"}


def environment(context: Any, peer: str) -> Path:
    """Make, or find, the virtual environment of a peer; give its Python.

    Raises:
        RuntimeError: when its packages cannot be installed here.
    """
    pins = Path(__file__).with_name("peers") / f"{peer}.txt"
    home: Path = context.checkout / ".driftline" / "bench-envs" / peer
    python = home / "bin" / "python"
    mark = home / "pins.txt"
    if mark.exists() and mark.read_text() == pins.read_text():
        return python
    print(f"   installing {peer} in an environment of its own", flush=True)
    called([sys.executable, "-m", "venv", "--clear", str(home)])
    called([str(python), "-m", "pip", "install", "--quiet", "--no-deps", "--requirement", str(pins)])
    mark.write_text(pins.read_text())
    return python


def called(command: list[str]) -> str:
    """Run a command of a peer; give what it printed, or raise RuntimeError."""
    return said(command, os.environ | QUIET, within_s=1_800)
