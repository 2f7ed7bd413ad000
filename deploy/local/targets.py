"""Targets: on which port each worker of the local stack serves its metrics, and the file that tells Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from driftline.agents.atomic import write_atomically
from driftline.deploy.local.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from driftline.schemas.settings import Settings


def metrics_ports(roles: Sequence[str], first: int) -> dict[str, int]:
    """Give a port for each role: `first` and those after it, or free ones where `first` is 0; they hold until the end.

    Raises:
        StackError: no free port was found.
    """
    if first:
        return {role: first + number for number, role in enumerate(roles)}
    ports: dict[str, int] = {}
    for role in roles:
        ports[role] = free_port(set(ports.values()))
    return ports


def serving_at(settings: Settings, port: int) -> Settings:
    """Settings of a worker that serves its metrics on a port."""
    return msgspec.structs.replace(
        settings, worker=msgspec.structs.replace(settings.worker, metrics_port=port)
    )


def write_targets(file: Path, host: str, ports: Mapping[str, int]) -> None:
    """Write what Prometheus's `file_sd_configs` read: one target a role, which is a label of it."""
    targets = [{"targets": [f"{host}:{port}"], "labels": {"role": role}} for role, port in ports.items()]
    write_atomically(file, msgspec.json.format(msgspec.json.encode(targets), indent=2))
