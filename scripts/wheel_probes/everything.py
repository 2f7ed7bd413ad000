"""With all extras, every module imports and every command shows its help, outside the checkout."""

import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import driftline
from driftline.deploy.cli.commands import COMMANDS

DRIFTLINE = str(Path(sys.executable).with_name("driftline"))

names = [module.name for module in pkgutil.walk_packages(driftline.__path__, "driftline.")]
FEWEST_MODULES = 50
if len(names) < FEWEST_MODULES:
    sys.exit(f"only {len(names)} modules of driftline are installed")
for name in names:
    if not name.endswith(".__main__"):
        importlib.import_module(name)

for entry in COMMANDS:
    done = subprocess.run([DRIFTLINE, entry.name, "--help"], capture_output=True, text=True, check=False)
    if done.returncode != 0 or "Usage:" not in done.stdout:
        sys.exit(f"driftline {entry.name} --help ends with {done.returncode}: {done.stderr}")
