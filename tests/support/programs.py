"""Programs beside Python that some tests run: where they are found, and how they are installed.

Run as a script, it installs those that Go builds and that are not there yet: .ci/run does so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

GO: dict[str, str] = {
    "kustomize": "sigs.k8s.io/kustomize/kustomize/v5@v5.8.2",
    "versitygw": "github.com/versity/versitygw/cmd/versitygw@v1.8.0",
}
"""Programs that Go builds: name -> package and version."""


def found(name: str) -> str | None:
    """The path of a program: on PATH, or where Go puts what it installs; None where it is not installed."""
    return shutil.which(name) or (shutil.which(name, path=_go_folder()) if name in GO else None)


def needed(name: str) -> str:
    """The path of a program; fails the test where it is not installed."""
    import pytest  # .ci/run runs this file before anything is installed

    path = found(name)
    if path is None:
        pytest.fail(f"{name} is not installed: {install(name)}", pytrace=False)
    return path


def install(name: str, package: str = "") -> str:
    """The line that installs a program; `package` is Debian's, where it is called otherwise."""
    return f"go install {GO[name]}" if name in GO else f"apt-get install {package or name}"


def main() -> int:
    """Install with Go what is lacking or of another version; 1 when Go is lacking or fails."""
    for name, package in GO.items():
        path = found(name)
        if path is not None and _version(path) == package.rpartition("@")[2]:
            continue
        try:
            code = subprocess.run(["go", "install", package], check=False).returncode
        except FileNotFoundError:
            code = 1
        if code:
            sys.stderr.write(f"{name} cannot be installed: Go 1.25 or later has to run '{install(name)}'\n")
            return code
    return 0


def _version(path: str) -> str:
    """Which version of its package Go built a program from."""
    said = subprocess.run(["go", "version", "-m", path], capture_output=True, text=True, check=False).stdout
    lines = [line.split() for line in said.splitlines()]
    return next((line[2] for line in lines if line[:1] == ["mod"]), "")


@cache
def _go_folder() -> str:
    if os.environ.get("GOBIN"):
        return os.environ["GOBIN"]
    go = shutil.which("go")
    if go is None:
        return str(Path.home() / "go" / "bin")
    asked = subprocess.run([go, "env", "GOPATH"], capture_output=True, text=True, check=True)
    return str(Path(asked.stdout.strip()) / "bin")


if __name__ == "__main__":
    sys.exit(main())
