"""A real Alertmanager (Debian's prometheus-alertmanager) as a child of the demo, which passes on to its receiver."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Final

import msgspec

from driftline.deploy.local.component import Component
from driftline.deploy.local.ports import LOOPBACK
from driftline.deploy.local.ready import says_ready
from driftline.deploy.local.spawn import Process, spawn_guarded

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM: Final = "prometheus-alertmanager"


class Alertmanager(Component):
    """One Alertmanager on a port of loopback, without a cluster; it ends when this process ends in whatever way.

    Args:
        program: its path.
        folder: where its file of settings and its data lie.
        port: a free one.
        hook: the address that its one receiver posts to.
        log: file for its output.
    """

    name = "alertmanager"
    ready_seconds = 20.0
    stop_seconds = 5.0

    def __init__(self, program: str, folder: Path, port: int, hook: str, log: Path) -> None:
        super().__init__(log)
        self._program, self._folder, self._port, self._hook = program, folder, port, hook

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://{LOOPBACK}:{self._port}"

    def launch(self) -> Process:
        """Write its settings and start it."""
        self._folder.mkdir(parents=True, exist_ok=True)
        config = self._folder / "alertmanager.yml"
        config.write_bytes(msgspec.json.format(msgspec.json.encode(settings(self._hook))))  # JSON is YAML
        command = [
            self._program,
            f"--config.file={config}",
            f"--storage.path={self._folder / 'data'}",
            f"--web.listen-address={LOOPBACK}:{self._port}",
            "--cluster.listen-address=",
        ]
        return spawn_guarded(command, cwd=self._folder, log=self.log)

    def is_ready(self) -> bool:
        """Say whether it answers."""
        return says_ready(self._port, "/-/ready")

    def ended(self) -> None:
        """Release nothing: all it held ended with it."""


def installed() -> str | None:
    """The path of the program; None where it is not installed."""
    return shutil.which(PROGRAM)


def settings(hook: str) -> dict[str, object]:
    """Its settings: one receiver, told at once, since a year of the demo takes seconds."""
    return {
        "route": {
            "receiver": "demo",
            "group_by": ["alertname", "deployment"],
            "group_wait": "0s",
            "group_interval": "1s",
            "repeat_interval": "1h",
        },
        "receivers": [{"name": "demo", "webhook_configs": [{"url": hook, "send_resolved": True}]}],
    }
