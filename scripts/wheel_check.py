"""Build the distribution and try the wheel where nothing of the checkout helps it.

Bare: only the tiny client's dependencies. Beside: with `openai-agents`, which owns the top-level `agents`.
Whole: all extras, every module imported, every command asked, outside the checkout. Each in an empty
environment with the locked versions. Usage: scripts/wheel_check.py [bare|beside|whole ...]
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
import zipfile
from pathlib import Path

import sbom

ROOT = Path(__file__).resolve().parent.parent
PROBES = ROOT / "scripts" / "wheel_probes"
FLOORS = ("agents", "deploy", "schemas", "streams")
# Folders of a floor that go to the source distribution, not into the wheel.
SOURCE_ONLY = (
    "deploy/examples/",
    "deploy/containers/",
    "deploy/k8s/",
    "deploy/grafana/",
    "deploy/prometheus/",
    "deploy/alertmanager/",
)
IN_SDIST = (
    "Makefile",
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "LICENSE",
    "docker-compose.yml",
    "deploy/containers/",
    "deploy/alertmanager/",
    "deploy/examples/",
    "deploy/grafana/",
    "deploy/prometheus/",
    "docs/",
    "tests/",
    "requirements/",
)

# Environment name -> (lock, probes run in it).
ENVIRONMENTS = {
    "bare": ("client.txt", ("client.py", "help.py")),
    "beside": ("beside.txt", ("beside.py", "client.py")),
    "whole": ("run.txt", ("everything.py", "data.py")),
}


class CheckError(Exception):
    """A statement about the distribution that does not hold, as one sentence."""


def main(names: list[str]) -> int:
    """Build, look inside, and run the probes of each environment; 1 with a sentence when one fails."""
    with tempfile.TemporaryDirectory(prefix="driftline-wheel-") as scratch:
        work = Path(scratch)
        try:
            sdist, wheel = build(work / "dist")
            check_sdist(sdist)
            check_wheel(wheel)
            check_sbom(wheel, work)
            for name in names or ENVIRONMENTS:
                try_environment(name, wheel, work)
        except CheckError as error:
            print(f"wheel: {error}", file=sys.stderr)
            return 1
    print("wheel: all checks passed")
    return 0


def build(out: Path) -> tuple[Path, Path]:
    """Build the source distribution and, from it, the wheel; nothing of an earlier build can leak in."""
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)], "the build")
    return next(out.glob("*.tar.gz")), next(out.glob("*.whl"))


def check_sdist(sdist: Path) -> None:
    """Check that the source distribution carries what a packager needs: documents, tests, locks."""
    with tarfile.open(sdist) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    for wanted in IN_SDIST:
        if not any(name.startswith(wanted) for name in names):
            raise CheckError(f"{sdist.name} lacks {wanted}: name it in MANIFEST.in")


def check_wheel(wheel: Path) -> None:
    """Check that the wheel holds every tracked file of the four floors, and nothing beside them."""
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    stray = [name for name in inside if not name.startswith("driftline")]
    if stray:
        raise CheckError(f"{wheel.name} holds {min(stray)}: only driftline/ may be installed")
    tracked = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", *FLOORS], capture_output=True, text=True, check=True
    ).stdout.split()
    for file in tracked:
        if not file.startswith(SOURCE_ONLY) and f"driftline/{file}" not in inside:
            raise CheckError(
                f"{wheel.name} lacks {file}: name it in pyproject.toml's packages or package-data"
            )


def check_sbom(wheel: Path, work: Path) -> None:
    """Check that the bill of materials names what the wheel needs, as it is locked."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = archive.read(name).decode()
    requires = [
        line.partition(": ")[2] for line in metadata.splitlines() if line.startswith("Requires-Dist:")
    ]
    found = sbom.faults(sbom.write(work / "driftline.cdx.json"), requires)
    if found:
        raise CheckError(f"the bill of materials is not whole: {found[0]}")


def try_environment(name: str, wheel: Path, work: Path) -> None:
    """Install the wheel with one lock in an empty environment and run the probes of that name."""
    began = time.monotonic()
    lock, probes = ENVIRONMENTS[name]
    venv.create(work / name, with_pip=True)
    python = work / name / "bin" / "python"
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-deps"]
    requirements = ROOT / "requirements"
    locked = ["--require-hashes", "-r"]
    run([*pip, *locked, str(requirements / "build.txt")], "the installation of the build tools")
    run(
        [*pip, "--no-build-isolation", "--use-pep517", *locked, str(requirements / lock)],
        f"the installation of {lock}",
    )
    run([*pip, "--no-index", str(wheel)], "the installation of the wheel")
    elsewhere = work / f"{name}-elsewhere"
    elsewhere.mkdir()
    for probe in probes:
        run([str(python), "-I", str(PROBES / probe)], f"{probe} in the environment {name!r}", elsewhere)
    print(f"wheel: {name} holds ({time.monotonic() - began:.0f} s)", flush=True)


def run(command: list[str], what: str, directory: Path = ROOT) -> None:
    """Run one command without the checkout's settings; its output is shown only when it fails.

    Raises:
        CheckError: the command ended with another code than 0.
    """
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "DRIFTLINE_"))}
    done = subprocess.run(
        command,
        cwd=directory,
        env=clean,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        print(done.stdout, file=sys.stderr)
        raise CheckError(f"{what} failed with {done.returncode}: its output stands above")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
