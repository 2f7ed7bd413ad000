"""The services of docker-compose.yml that are ours, as parts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from deployed import Mount, Part, bytes_of

IMAGE = "driftline:"


def compose_file(checkout: Path) -> dict[str, Any]:
    """The compose file, anchors and merges resolved."""
    document: dict[str, Any] = yaml.safe_load((checkout / "docker-compose.yml").read_text(encoding="utf-8"))
    return document


def parts_of(document: dict[str, Any]) -> dict[str, Part]:
    """Our own services, by name, in the order in which they start."""
    services = {
        name: one
        for name, one in document["services"].items()
        if one["image"].startswith(IMAGE) and one["build"]["target"] == "driftline"
    }
    return {name: _part(name, services[name]) for name in in_order(document) if name in services}


def in_order(document: dict[str, Any]) -> list[str]:
    """All services, each after those that it waits for; fails where they wait for one another."""
    waits = {name: set(one.get("depends_on", ())) for name, one in document["services"].items()}
    found: list[str] = []
    while len(found) < len(waits):
        ready = [name for name, needs in waits.items() if name not in found and needs <= set(found)]
        assert ready, f"these wait for one another: {sorted(set(waits) - set(found))}"
        found += ready
    return found


def _part(name: str, one: dict[str, Any]) -> Part:
    test = one.get("healthcheck", {}).get("test", [])
    return Part(
        name=name,
        argv=tuple(one["command"]),
        env=one.get("environment", {}),
        mounts=(
            *map(_mount, one.get("volumes", ())),
            *(_memory(name, text) for text in one.get("tmpfs", ())),
        ),
        health=(tuple(test[2:]),) if test else (),
        ports=frozenset(map(int, one.get("expose", ())))
        | {int(text.rpartition(":")[2]) for text in one.get("ports", ())},
        grace_s=seconds(one.get("stop_grace_period", "10s")),
        memory_bytes=bytes_of(one["mem_limit"]),
    )


def seconds(text: str) -> float:
    """Seconds of a duration such as 40s."""
    assert text.endswith("s"), text
    return float(text[:-1])


def _mount(text: str) -> Mount:
    source, path, *mode = text.split(":")
    return Mount(path, source, mode == ["ro"])


def _memory(name: str, text: str) -> Mount:
    path = text.partition(":")[0]
    return Mount(path, f"memory-of-{name}{path.replace('/', '-')}", is_read_only=False)
