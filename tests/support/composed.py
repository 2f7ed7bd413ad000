"""The services of docker-compose.yml that are ours, as parts."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from deployed import Mount, Part, bytes_of, placed, settings_of

from driftline.deploy.demo.secrets import FILE, make_secrets

IMAGE = "driftline:"
CHECKOUT = Path(__file__).resolve().parents[2]


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


def with_secrets(part: Part, root: Path) -> None:
    """Fill the volume of secrets as the service `secrets` does; role files name places on this machine."""
    moved = placed(part, root)
    folder = Path(moved.argv[-1])
    folder.mkdir(mode=0o700)
    make_secrets(folder, settings_of(moved), Path("/mounted"))
    for file in folder.glob(f"*/{FILE}"):
        file.write_text(file.read_text().replace("/mounted", str(file.parent)))


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
            *(_found(mounted(given)) for given in one.get("volumes", ())),
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


def mounted(given: str | dict[str, Any]) -> Mount:
    """A volume as a service mounts it, in either form; its source is the volume and the folder of it."""
    if isinstance(given, dict):
        source = f"{given['source']}/{given['volume']['subpath']}"
        return Mount(given["target"], source, given["read_only"])
    source, path, *mode = given.split(":")
    return Mount(path, source, mode == ["ro"])


def _found(mount: Mount) -> Mount:
    """A mount whose source is where it lies, when that is the checkout."""
    return replace(mount, source=str(CHECKOUT / mount.source)) if mount.source.startswith("./") else mount


def _memory(name: str, text: str) -> Mount:
    path = text.partition(":")[0]
    return Mount(path, f"memory-of-{name}{path.replace('/', '-')}", is_read_only=False)
