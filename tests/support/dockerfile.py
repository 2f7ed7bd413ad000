"""The Dockerfile, read as far as it goes here: stages, and those of their steps that need no Docker."""

from __future__ import annotations

import fnmatch
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

BUILT_IN = ("FROM", "ARG", "ENV", "USER", "STOPSIGNAL", "ENTRYPOINT", "CMD", "WORKDIR", "COPY", "RUN")


@dataclass(frozen=True)
class Stage:
    """One stage: its name, its base, and its steps as (instruction, words)."""

    name: str
    base: str
    steps: tuple[tuple[str, str], ...]

    def of(self, instruction: str) -> list[str]:
        """What an instruction says, each time it is given."""
        return [words for kind, words in self.steps if kind == instruction]


def stages(path: Path) -> dict[str, Stage]:
    """The stages of a Dockerfile, by name; fails for an instruction that this does not know."""
    text = re.sub(
        r"\\\n\s*", " ", re.sub(r"^#.*\n", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    )
    found: dict[str, Stage] = {}
    name, base = "", ""
    steps: list[tuple[str, str]] = []
    for line in filter(None, map(str.strip, text.splitlines())):
        kind, _, words = line.partition(" ")
        assert kind in BUILT_IN, line
        if kind == "FROM":
            base, _, name = words.partition(" AS ")
            steps = []
        elif name:
            steps.append((kind, words))
        if name:
            found[name] = Stage(name, base, tuple(steps))
    return found


class Context:
    """What a build is given: the checkout's tracked files without what .dockerignore leaves out."""

    def __init__(self, checkout: Path) -> None:
        listed = subprocess.run(
            ["git", "-C", str(checkout), "ls-files", "-co", "--exclude-standard"],
            capture_output=True, text=True, check=True,
        ).stdout.splitlines()  # fmt: skip
        lines = (checkout / ".dockerignore").read_text(encoding="utf-8").splitlines()
        self._rules = [line for line in lines if line and not line.startswith("#")]
        self._checkout = checkout
        self.files = [name for name in listed if self._is_given(name)]

    def _is_given(self, name: str) -> bool:
        """Whether the last rule that matches a file, or a folder of it, lets it in."""
        given = True
        above = [name, *map(str, Path(name).parents)]
        for rule in self._rules:
            pattern = rule.removeprefix("!").removeprefix("**/")
            if any(fnmatch.fnmatch(one, pattern) for one in above):
                given = rule.startswith("!")
        return given

    def copy(self, source: str, target: Path) -> int:
        """Copy a file or a folder as COPY does; gives how many files that were."""
        chosen = [name for name in self.files if name == source or name.startswith(f"{source}/")]
        for name in chosen:
            path = target / (Path(name).name if name == source else name.removeprefix(f"{source}/"))
            path.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(self._checkout / name, path)
        return len(chosen)


def carry_out(stage: Stage, context: Context, root: Path) -> None:
    """Do the steps of a stage below a folder: its absolute paths lie there, and `python` is this one."""
    cwd, env = root, {"PATH": "/usr/bin:/bin", "HOME": str(root)}
    for kind, words in stage.steps:
        if kind == "ENV":
            env |= dict(one.split("=", 1) for one in shlex.split(words))
        elif kind == "WORKDIR":
            cwd = root / words.lstrip("/")
            cwd.mkdir(parents=True, exist_ok=True)
        elif kind == "COPY":
            *sources, target = words.split()
            for source in sources:
                copied = context.copy(source, cwd / target)
                assert copied, f"COPY {source}: nothing of that name is given to the build"
        elif kind == "RUN":
            command = re.sub(r"(?<![\w.])/(opt|src)\b", rf"{root}/\1", words)
            command = re.sub(r"^python\b", sys._base_executable, command)
            done = subprocess.run(
                ["sh", "-ec", command], cwd=cwd, env=env, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{words}: {done.stdout[-1_000:]}{done.stderr[-2_000:]}"
        else:
            raise AssertionError(kind)
