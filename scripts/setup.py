"""Prepare `.venv`: the locked dependencies, checked by hash, and driftline itself, editable.

Uses nothing beyond the standard library, because it runs before anything is installed. The stamps in `.venv`
hold what was installed, so that a second run is one comparison and needs no network.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
BUILD_LOCK = ROOT / "requirements" / "build.txt"
LOCK = ROOT / "requirements" / "dev.txt"
PROJECT = ROOT / "pyproject.toml"

MINIMUM_JAVA = 17
NEWEST_TESTED = (3, 13)

# What installs a missing program, by the package manager that is found.
INSTALL = {
    "apt-get": {
        "venv": f"python{sys.version_info[0]}.{sys.version_info[1]}-venv",
        "java": "openjdk-17-jre-headless",
        "mvn": "maven",
        "npm": "npm",
    },
    "dnf": {"venv": "python3", "java": "java-17-openjdk-headless", "mvn": "maven", "npm": "npm"},
}
NEEDED = {
    "venv": "Python's venv module with ensurepip",
    "java": f"Java {MINIMUM_JAVA} or later",
    "mvn": "Maven (mvn)",
    "npm": "npm",
}


def main() -> int:
    """Bring `.venv` up to date; 0 when it is, 1 when something is missing or an installation failed."""
    began = time.monotonic()
    lock_digest = _digest(BUILD_LOCK, LOCK)
    project_digest = _digest(PROJECT, extra=str(ROOT))
    fresh_lock = not _stamped("lock", lock_digest)
    if not fresh_lock and _stamped("project", project_digest):
        return 0
    if fresh_lock:
        missing = missing_programs()
        if missing:
            print(_missing_sentence(missing), file=sys.stderr)
            return 1
        _make_venv()
        _say("installing the locked dependencies (about 250 MB the first time)")
        locked = ["--require-hashes", "--no-deps", "--no-build-isolation", "--use-pep517"]
        # Setuptools first: the few dependencies that come as source build with it, without the network.
        _pip("install", "--require-hashes", "--no-deps", "-r", str(BUILD_LOCK))
        _pip("install", *locked, "-r", str(LOCK))
        _stamp("lock", lock_digest)
    _say("installing driftline itself, editable")
    _pip("install", "--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--editable", str(ROOT))
    _stamp("project", project_digest)
    _say(f"ready after {time.monotonic() - began:.0f} s")
    return 0


def missing_programs() -> list[str]:
    """Return which of NEEDED this machine lacks."""
    missing = [] if importlib.util.find_spec("ensurepip") and importlib.util.find_spec("venv") else ["venv"]
    if _java_version() < MINIMUM_JAVA:
        missing.append("java")
    missing += [program for program in ("mvn", "npm") if shutil.which(program) is None]
    return missing


def _missing_sentence(missing: list[str]) -> str:
    manager = next((name for name in INSTALL if shutil.which(name)), "apt-get")
    packages = " ".join(INSTALL[manager][name] for name in missing)
    *most, last = (NEEDED[name] for name in missing)
    things = f"{', '.join(most)} and {last}" if most else last
    verb = "is" if len(missing) == 1 else "are"
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{things} {verb} missing on this machine: {sudo}{manager} install {packages}"


def _java_version() -> int:
    """Return the major version of the `java` on the path (or in JAVA_HOME), 0 when there is none."""
    home = os.environ.get("JAVA_HOME")
    java = str(Path(home, "bin", "java")) if home else "java"
    try:
        said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    except OSError:
        return 0
    found = re.search(r'version "(?:1\.)?(\d+)', said)
    return int(found.group(1)) if found else 0


def _make_venv() -> None:
    if sys.version_info[:2] > NEWEST_TESTED:
        _say(f"Python {sys.version.split()[0]} is newer than what driftline is tested with (3.11 to 3.13)")
    if _runs(VENV_PYTHON):
        return
    _say(f"making .venv with Python {sys.version.split()[0]}")
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)


def _runs(python: Path) -> bool:
    """Tell whether `python` is there, is recent and has pip: a venv half made is made again."""
    probe = "import sys, pip; sys.exit(sys.version_info < (3, 11))"
    try:
        done = subprocess.run([str(python), "-c", probe], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def _pip(*arguments: str) -> None:
    subprocess.run([str(VENV_PYTHON), "-m", "pip", "--disable-pip-version-check", *arguments], check=True)


def _digest(*files: Path, extra: str = "") -> str:
    digest = hashlib.sha256(extra.encode())
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def _stamped(name: str, digest: str) -> bool:
    file = VENV / f"{name}.sha256"
    return VENV_PYTHON.exists() and file.exists() and file.read_text(encoding="ascii") == digest


def _stamp(name: str, digest: str) -> None:
    (VENV / f"{name}.sha256").write_text(digest, encoding="ascii")


def _say(text: str) -> None:
    print(f"setup: {text}", flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        command = " ".join(map(str, error.cmd))
        print(
            f"setup: `{command}` ended with {error.returncode}: its last lines above say why", file=sys.stderr
        )
        sys.exit(1)
