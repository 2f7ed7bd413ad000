"""Write the bill of materials of the wheel: every locked dependency of every extra, with its hashes, as CycloneDX.

Usage: scripts/sbom.py [FILE]; by default dist/driftline.cdx.json.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FILE = ROOT / "dist" / "driftline.cdx.json"
LOCK = ROOT / "requirements" / "run.txt"
SPECIFICATION = "1.6"


def main(arguments: list[str]) -> int:
    """Write the file and say what it holds."""
    file = Path(arguments[0]) if arguments else FILE
    made = write(file)
    print(f"{file}: {len(made['components'])} components, CycloneDX {made['specVersion']}")
    return 0


def write(file: Path) -> dict[str, Any]:
    """Write the bill and give it as read back; it was held against the schema of CycloneDX before it was written."""
    file.parent.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-W", "ignore", "-m", "cyclonedx_py", "requirements", str(LOCK)]
    command += ["--pyproject", str(ROOT / "pyproject.toml"), "--mc-type", "application", "--short-PURLs"]
    command += ["--sv", SPECIFICATION, "--of", "JSON", "--output-reproducible", "--validate"]
    subprocess.run([*command, "--output-file", str(file)], check=True)
    made: dict[str, Any] = json.loads(file.read_text())
    return made


def faults(bill: dict[str, Any], requires: list[str]) -> list[str]:
    """What a bill lacks: the project itself, what is locked with its hashes, what the wheel says that it needs.

    Args:
        bill: as `write` gives it.
        requires: lines of Requires-Dist of the wheel.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    about = bill["metadata"]["component"]
    found = []
    if (about["name"], about["version"]) != (project["name"], project["version"]):
        found.append(f"it is about {about['name']} {about['version']}")
    held = {plain(one["name"]): one for one in bill["components"]}
    locked = dict(re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", LOCK.read_text(), re.MULTILINE))
    for name, version in locked.items():
        one = held.get(plain(name))
        if one is None or one["version"] != version:
            found.append(f"it lacks {name} {version}")
        elif not any(reference.get("hashes") for reference in one.get("externalReferences", ())):
            found.append(f"{name} has no hash")
    for line in requires:
        name = plain(re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0])
        if name != project["name"] and name not in held and 'extra == "dev"' not in line:
            found.append(f"the wheel needs {name}, which it lacks")
    return found


def plain(name: str) -> str:
    """The name of a distribution as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
