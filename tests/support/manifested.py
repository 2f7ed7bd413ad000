"""The manifests of deploy/k8s as the real kustomize builds them, and our containers in them as parts."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from deployed import Mount, Part, bytes_of
from programs import needed

WORKLOADS = ("Deployment", "StatefulSet", "Job")
CONTAINER = "driftline"
Object = dict[str, Any]


@cache
def built(folder: Path) -> tuple[Object, ...]:
    """The objects of an overlay."""
    done = subprocess.run(
        [needed("kustomize"), "build", str(folder)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return tuple(yaml.safe_load_all(done.stdout))


def of_kind(objects: tuple[Object, ...], *kinds: str) -> dict[str, Object]:
    """Objects of some kinds, by name."""
    return {one["metadata"]["name"]: one for one in objects if one["kind"] in kinds}


def pod_of(workload: Object) -> Object:
    """The specification of its pods."""
    found: Object = workload["spec"]["template"]["spec"]
    return found


def containers_of(workload: Object) -> Iterator[Object]:
    """Every container of its pods, those that begin them included."""
    pod = pod_of(workload)
    yield from pod.get("initContainers", ())
    yield from pod["containers"]


def parts_of(objects: tuple[Object, ...]) -> dict[str, Part]:
    """Our own containers, by the name of their workload."""
    return {name: _part(name, one, objects) for name, one in of_kind(objects, *WORKLOADS).items()}


def _part(name: str, workload: Object, objects: tuple[Object, ...]) -> Part:
    pod = pod_of(workload)
    (container,) = (one for one in pod["containers"] if one["name"] == CONTAINER)
    env = _environment(name, container, of_kind(objects, "ConfigMap"))
    ports = {one["name"]: one["containerPort"] for one in container.get("ports", ())}
    gets = [container[probe]["httpGet"] for probe in container if probe.endswith("Probe")]
    return Part(
        name=name,
        argv=tuple(re.sub(r"\$\((\w+)\)", lambda found: env[found[1]], word) for word in container["args"]),
        env=env,
        mounts=tuple(
            Mount(one["mountPath"], f"{name}-{one['name']}", one.get("readOnly", False))
            for one in container["volumeMounts"]
        ),
        asked=tuple((ports[get["port"]], get["path"]) for get in gets),
        ports=frozenset(ports.values()),
        grace_s=pod.get("terminationGracePeriodSeconds", 30),
        memory_bytes=bytes_of(container["resources"]["limits"]["memory"]),
    )


def _environment(name: str, container: Object, maps: dict[str, Object]) -> dict[str, str]:
    env: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        env |= maps[source["configMapRef"]["name"]]["data"]
    for one in container.get("env", ()):
        value = one.get("value")
        if value is None:
            (given,) = one["valueFrom"].items()
            value = f"{name}-0" if given[0] == "fieldRef" else maps[given[1]["name"]]["data"][given[1]["key"]]
        env[one["name"]] = value
    return env
