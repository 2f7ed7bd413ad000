"""What a compose file and manifests say of our own processes, in one form, and whether the code knows it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import click

from driftline.deploy.cli import _group
from driftline.schemas.settings import Settings, load


@dataclass(frozen=True)
class Mount:
    """Something that a process finds below a path: a volume, or a path of the checkout."""

    path: str
    source: str
    is_read_only: bool


@dataclass(frozen=True)
class Part:
    """One container that runs a command of ours.

    Attributes:
        name: of the service or container.
        argv: after `driftline`.
        env: variables.
        mounts: volumes, and memory that may be written.
        health: commands that ask whether it is well, after `driftline`.
        asked: (port, path) that are asked over HTTP.
        ports: that it opens to others.
        grace_s: how long it may take to end.
        memory_bytes: the most that it may have.
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str]
    mounts: tuple[Mount, ...]
    health: tuple[tuple[str, ...], ...] = ()
    asked: tuple[tuple[int, str], ...] = ()
    ports: frozenset[int] = field(default_factory=frozenset)
    grace_s: float = 10.0
    memory_bytes: int = 0


def parsed(argv: Sequence[str]) -> list[tuple[click.Command, click.Context]]:
    """The commands that an argv names, each with what it was told; raises click.ClickException for a wrong one."""
    command: click.Command = _group()
    found, rest, parent = [], list(argv), None
    name = "driftline"
    while True:
        parent = command.make_context(name, rest, parent=parent)
        found.append((command, parent))
        if not isinstance(command, click.Group):
            return found
        name, command, rest = command.resolve_command(parent, [*parent._protected_args, *parent.args])  # type: ignore[assignment]


def settings_of(part: Part) -> Settings:
    """The settings of a part; raises SettingsError for a variable that is none or has a value that is not allowed."""
    return load(dict(part.env), None)


def opened(part: Part) -> tuple[set[int], str]:
    """The ports that a placed part opens by its settings, and the address that it opens them on."""
    settings = settings_of(part)
    words = {command.name for command, _ in parsed(part.argv)}
    if "serve" in words:
        return {settings.serve.port, settings.serve.metrics_port} - {0}, settings.serve.host
    if "board" in words:
        return {settings.board.port}, settings.board.host
    if words & {"worker", "controller"}:
        return {settings.worker.metrics_port} - {0}, settings.worker.metrics_host
    return set(), ""


def placed(part: Part, root: Path) -> Part:
    """The same part with its absolute paths below a folder, as its mounts say: each volume is a folder there.

    Raises:
        AssertionError: a path lies in no mount.
    """

    def moved(text: str) -> str:
        head, sep, tail = text.rpartition("=") if text.startswith("--") else ("", "", text)
        return head + sep + str(where(part, tail, root)) if tail.startswith("/") and ":" not in tail else text

    return replace(
        part,
        argv=tuple(map(moved, part.argv)),
        env={name: moved(value) for name, value in part.env.items()},
    )


def where(part: Part, path: str, root: Path) -> Path:
    """Where a path of a part lies below `root`."""
    wanted = PurePosixPath(path)
    for mount in sorted(part.mounts, key=lambda one: -len(one.path)):
        if wanted.is_relative_to(mount.path):
            return root / mount.source / wanted.relative_to(mount.path)
    inner = [mount for mount in part.mounts if PurePosixPath(mount.path).is_relative_to(wanted)]
    # A folder of the image with mounts in it: made of links to them.
    assert inner, f"{part.name}: {path} lies in none of its volumes"
    made = root / f"of-{part.name}" / path.lstrip("/")
    for mount in inner:
        link = made / PurePosixPath(mount.path).relative_to(wanted)
        link.parent.mkdir(parents=True, exist_ok=True)
        (root / mount.source).mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(root / mount.source)
    return made


def filled(part: Part, root: Path, files: Iterable[str], text: str = "0" * 64) -> None:
    """Make the volumes of a placed part, and the files in them that it looks for where there are none."""
    for mount in part.mounts:
        if not mount.source.startswith("/"):
            (root / mount.source).mkdir(parents=True, exist_ok=True)
    for name in files:
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_text(text)


def files_of(part: Part) -> list[str]:
    """Paths of files that a placed part is told to read, by its variables."""
    ends = ("_FILE", "_KEY", "_CONFIG", "_TOKENS", "_ROUTES", "_CA", "_LOCATION", "_CERTIFICATE")
    return [value for name, value in part.env.items() if name.endswith(ends) and value.startswith("/")]


def bytes_of(text: str) -> int:
    """Bytes of `512m`, `1g`, `512Mi` or `1Gi`, all of them powers of two.

    >>> bytes_of("512m"), bytes_of("1Gi")
    (536870912, 1073741824)
    """
    units = {"k": 10, "m": 20, "g": 30}
    plain = text.lower().removesuffix("b").removesuffix("i")
    return int(plain[:-1]) << units[plain[-1]]
