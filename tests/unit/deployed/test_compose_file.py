"""docker-compose.yml against its schema, against the code, and against what a careful person would ask of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from composed import compose_file, in_order, parts_of, seconds
from deployed import Part, bytes_of, files_of, filled, parsed, placed, settings_of

from driftline.deploy.demo.installation import TRUSTED_TYPES
from driftline.deploy.local.worker import ROLES, WorkerProcess
from driftline.schemas.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[3]
DOCUMENT = compose_file(CHECKOUT)
PARTS = parts_of(DOCUMENT)
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
OURS = pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
EVERY = pytest.mark.parametrize("name", SERVICES)


def settled(part: Part, root: Path) -> tuple[Part, Settings]:
    """The part with its paths below `root`, where the files that it reads are, and its settings."""
    moved = placed(part, root)
    filled(moved, root, files_of(moved))
    return moved, settings_of(moved)


def test_it_is_a_compose_file() -> None:
    """It passes the schema of the compose specification."""
    schema = json.loads((CHECKOUT / "tests/support/contracts/compose-spec.json").read_text())
    assert list(jsonschema.Draft7Validator(schema).iter_errors(DOCUMENT)) == []


@OURS
def test_every_command_is_one_of_ours(part: Part, tmp_path: Path) -> None:
    """The command line takes each service's command, and each health check."""
    moved = placed(part, tmp_path)
    filled(moved, tmp_path, ())
    for argv in (moved.argv, *moved.health):
        assert len(parsed(argv)) > 1


@OURS
def test_every_variable_is_a_setting(part: Part, tmp_path: Path) -> None:
    """Each variable of a service of ours is a setting with an allowed value; paths lie in its volumes."""
    assert all(name.startswith(("DRIFTLINE_", "OMP_NUM_THREADS")) for name in part.env)
    settled(part, tmp_path)


@OURS
def test_health_and_ports_are_those_that_are_opened(part: Part, tmp_path: Path) -> None:
    """A health check asks a port that the settings open, and what is published or exposed is opened too."""
    settings = settled(part, tmp_path)[1]
    words = {word for command, _ in parsed(placed(part, tmp_path).argv) for word in [command.name]}
    opened = {settings.serve.port, settings.serve.metrics_port} if "serve" in words else set()
    opened |= {settings.worker.metrics_port} if words & {"worker", "controller"} else set()
    assert part.ports == opened - {0}
    assert {int(argv[1]) for argv in part.health} <= opened
    where = settings.serve.host if "serve" in words else settings.worker.metrics_host
    assert not opened or where == "0.0.0.0"  # noqa: S104 - the network of the container


def test_every_worker_has_a_service() -> None:
    """Each role of `driftline worker` that `driftline up` starts is a service, with time for its last checkpoint."""
    workers = {part.argv[1]: part for part in PARTS.values() if part.argv[0] == "worker"}
    assert set(workers) == set(ROLES)
    assert all(part.grace_s > WorkerProcess.stop_seconds for part in workers.values())


def test_the_agent_may_end_its_requests(tmp_path: Path) -> None:
    """The agent is given longer than it drains, ends its requests and says its last words; a trial fits its memory."""
    serve = settled(PARTS["agent"], tmp_path)[1].serve
    assert PARTS["agent"].grace_s > serve.drain_seconds + serve.stop_seconds + 10
    assert 2 * serve.trial_bytes <= PARTS["agent"].memory_bytes


def test_what_the_demo_s_model_is_made_of_is_trusted() -> None:
    """The agent trusts the types that the demo's model needs, and no others."""
    assert PARTS["agent"].env["DRIFTLINE_PACKAGES_TRUSTED_TYPES"] == ",".join(TRUSTED_TYPES)


def test_what_runs_once_is_waited_for_until_it_is_done() -> None:
    """Who waits for a service that runs once waits for its good end, who waits for another for its health."""
    for name, one in SERVICES.items():
        for other, how in one.get("depends_on", {}).items():
            once = str(SERVICES[other]["restart"]).startswith("on-failure")
            wanted = "service_completed_successfully" if once else "service_healthy"
            assert how == {"condition": wanted}, (name, other)
    assert len(in_order(DOCUMENT)) == len(SERVICES)


@EVERY
def test_every_service_is_held_in(name: str) -> None:
    """Each service has no capability, gains none, has a bound on memory, ends in time, and is pinned by version."""
    one = SERVICES[name]
    assert one["cap_drop"] == ["ALL"]
    assert one["security_opt"] == ["no-new-privileges:true"]
    assert bytes_of(one["mem_limit"]) > 0
    assert not one.get("privileged")
    assert "cap_add" not in one
    assert re.fullmatch(r"[a-z/-]+:v?\d+\.\d+(\.\d+)*", one["image"])
    assert all(text.startswith("127.0.0.1:") for text in one.get("ports", ()))
    if not one["restart"].startswith("on-failure"):
        assert seconds(one["stop_grace_period"]) >= 20
        assert one["healthcheck"]


@OURS
def test_ours_may_write_only_into_their_volumes(part: Part) -> None:
    """Our own images run as somebody who is not root, with a root that is read only."""
    one = SERVICES[part.name]
    assert one["read_only"] is True
    assert one["user"] == "10001:10001"


@EVERY
def test_no_secret_stands_in_a_variable(name: str) -> None:
    """What is a password, a key or a token comes as a file: a variable names the file."""
    for key, value in SERVICES[name].get("environment", {}).items():
        if re.search(r"PASSWORD|SECRET|TOKEN|_KEY\b", key):
            assert str(value).startswith("/"), key


def test_every_volume_is_declared_and_used() -> None:
    """Each volume that a service mounts is declared, and none is declared in vain; files of ours are there."""
    mounted = [text.split(":")[0] for one in SERVICES.values() for text in one.get("volumes", ())]
    assert {source for source in mounted if not source.startswith(".")} == set(DOCUMENT["volumes"])
    assert [source for source in mounted if source.startswith(".") and not (CHECKOUT / source).exists()] == []


def test_keys_are_mounted_where_they_are_needed() -> None:
    """The keys of controller, agent and witness lie each in a volume that nobody has but that part and `seed`."""
    for part in ("controller", "agent", "witness"):
        volume = f"{part}-keys"
        assert {name for name, one in SERVICES.items() if volume in str(one.get("volumes"))} == {part, "seed"}
    holders = {name for name, one in SERVICES.items() if "office:" in str(one.get("volumes"))}
    assert holders == {"seed", "first-model"}
