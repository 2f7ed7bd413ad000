"""With the bare install, `driftline --help` lists every command with its extra and imports none."""

import contextlib
import io
import subprocess
import sys
from pathlib import Path

from driftline.deploy.cli import main
from driftline.deploy.cli.commands import COMMANDS

DRIFTLINE = str(Path(sys.executable).with_name("driftline"))

said = io.StringIO()
with contextlib.redirect_stdout(said):
    code = main(["--help"])
if code != 0:
    sys.exit(f"driftline --help ends with {code}")
for entry in COMMANDS:
    if (f"{entry.name} [{entry.extra}]" if entry.extra else f"  {entry.name} ") not in said.getvalue():
        sys.exit(f"driftline --help does not list {entry.name} with its extra {entry.extra}")
    if entry.module in sys.modules:
        sys.exit(f"driftline --help imports the command {entry.name}")

# A command whose extra is missing may show its help, or say in one sentence what to install.
for entry in COMMANDS:
    done = subprocess.run([DRIFTLINE, entry.name, "--help"], capture_output=True, text=True, check=False)
    refused = done.returncode == 1 and entry.install in done.stderr and done.stderr.count("\n") == 1
    if done.returncode != 0 and not refused:
        sys.exit(
            f"driftline {entry.name} --help without its extra ends with {done.returncode}: {done.stderr}"
        )
