"""docker-compose.yml against its schema, against the code, and against what a careful person would ask of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from composed import compose_file, in_order, mounted, parts_of, seconds, with_secrets
from deployed import Part, bytes_of, files_of, filled, opened, parsed, placed, settings_of

from driftline.deploy.demo.installation import TRUSTED_TYPES
from driftline.deploy.demo.seed import PARTS as KEYS
from driftline.deploy.local.worker import ROLES, WorkerProcess
from driftline.schemas.routes import read_routes
from driftline.schemas.settings import Settings

CHECKOUT = Path(__file__).resolve().parents[3]
DOCUMENT = compose_file(CHECKOUT)
PARTS = parts_of(DOCUMENT)
SERVICES: dict[str, dict[str, Any]] = DOCUMENT["services"]
SECRET = {
    mounted(one).source
    for name in SERVICES
    for one in SERVICES[name].get("volumes", ())
    if mounted(one).source.partition("/")[0] in {"secrets", "installation"}
}
OURS = pytest.mark.parametrize("part", PARTS.values(), ids=PARTS)
EVERY = pytest.mark.parametrize("name", SERVICES)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the volumes as `seed secrets` fills them, so that role files are real ones."""
    folder = tmp_path_factory.mktemp("volumes")
    with_secrets(PARTS["secrets"], folder)
    return folder


def settled(part: Part, root: Path) -> tuple[Part, Settings]:
    """The part with its paths below `root`, where the files that it reads are, and its settings."""
    moved = placed(part, root)
    filled(moved, root, files_of(moved))
    return moved, settings_of(moved)


def test_it_is_a_compose_file() -> None:
    """It passes the schema of the compose specification."""
    schema = json.loads((CHECKOUT / "tests/support/contracts/compose-spec.json").read_text())
    assert list(jsonschema.Draft202012Validator(schema).iter_errors(DOCUMENT)) == []


@OURS
def test_every_command_is_one_of_ours(part: Part, root: Path) -> None:
    """The command line takes each service's command, and each health check."""
    moved = placed(part, root)
    filled(moved, root, ())
    for argv in (moved.argv, *moved.health):
        assert len(parsed(argv)) > 1


@OURS
def test_every_variable_is_a_setting(part: Part, root: Path) -> None:
    """Each variable of a service of ours is a setting with an allowed value; paths lie in its volumes."""
    assert all(name.startswith(("DRIFTLINE_", "OMP_NUM_THREADS")) for name in part.env)
    settled(part, root)


@OURS
def test_health_and_ports_are_those_that_are_opened(part: Part, root: Path) -> None:
    """A health check asks a port that the settings open, and what is published or exposed is opened too."""
    moved = settled(part, root)[0]
    ports, host = opened(moved)
    assert part.ports == ports
    assert not ports or host == "0.0.0.0"  # noqa: S104 - the network of the container
    assert {int(argv[1]) for argv in part.health} <= ports


def test_every_worker_has_a_service() -> None:
    """Each role of `driftline worker` that `driftline up` starts is a service, with time for its last checkpoint."""
    workers = {part.argv[1]: part for part in PARTS.values() if part.argv[0] == "worker"}
    assert set(workers) == set(ROLES)
    assert all(part.grace_s > WorkerProcess.stop_seconds for part in workers.values())


def test_the_agent_may_end_its_requests(root: Path) -> None:
    """The agent is given longer than it drains, ends its requests and says its last words; a trial fits its memory."""
    serve = settled(PARTS["agent"], root)[1].serve
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
    sources = [mounted(one).source for name in SERVICES for one in SERVICES[name].get("volumes", ())]
    ours = {source for source in sources if source.startswith(".")}
    assert {source.partition("/")[0] for source in sources if source not in ours} == set(DOCUMENT["volumes"])
    assert [source for source in ours if not (CHECKOUT / source).exists()] == []


def test_every_folder_of_secrets_is_made(root: Path) -> None:
    """Folders of secrets that a service mounts are made by `seed secrets`, those of keys by `seed begin`."""
    found = {mounted(one).source for name in SERVICES for one in SERVICES[name].get("volumes", ())}
    assert [one for one in found if one.startswith("secrets/") and not (root / one).is_dir()] == []
    assert {one.partition("/")[2] for one in found if one.startswith("installation/")} == set(KEYS)


def test_secrets_are_mounted_where_they_are_needed() -> None:
    """Each service finds the folder of one role, its own; all roles only who sets users, and keys only their owner."""
    holders = {
        name: {mounted(one).source for one in SERVICES[name].get("volumes", ())} & SECRET for name in SERVICES
    }
    assert {name for name, held in holders.items() if "secrets" in held} == {"secrets"}
    assert {name for name, held in holders.items() if "secrets/roles" in held} == {
        "access-kafka",
        "access-clickhouse",
    }
    assert {name for name, held in holders.items() if "installation" in held} == {"seed", "first-model"}
    assert {name: sorted(held) for name, held in holders.items() if len(held) > 1} == {
        "archive": ["installation/archive", "secrets/archive"],
        "controller": ["installation/controller", "secrets/controller"],
        "agent": ["installation/agent", "secrets/agent"],
        "witness": ["installation/witness", "secrets/witness"],
        "seed": ["installation", "secrets/controller"],
        "first-model": ["installation", "secrets/operator"],
    }


def test_each_service_has_the_role_that_is_its_own() -> None:
    """A worker, the controller, the witness and the agent log in as the role of their name."""
    names = {"drift", "accuracy", "alerts", "archive", "controller", "witness", "agent", "board"}
    for name in names:
        assert f"secrets/{name}" in {mounted(one).source for one in SERVICES[name]["volumes"]}


def test_prometheus_asks_services_that_open_the_port() -> None:
    """Each target of deploy/prometheus/prometheus.yml is a service of ours, on a port that it opens; none is left out.

    A worker's target has its role, by which rules know it.
    The Alertmanager that it tells is a service too.
    """
    told = yaml.safe_load((CHECKOUT / "deploy/prometheus/prometheus.yml").read_text(encoding="utf-8"))
    targets = [
        target.split(":")
        for job in told["scrape_configs"]
        for config in job["static_configs"]
        for target in config["targets"]
    ]
    assert all(int(port) in PARTS[name].ports for name, port in targets)
    labels = {
        config["targets"][0].partition(":")[0]: config["labels"]
        for job in told["scrape_configs"]
        for config in job["static_configs"]
        if "labels" in config
    }
    assert labels == {role: {"role": role} for role in ROLES}
    assert {name for name, _ in targets} == {name for name, part in PARTS.items() if 9100 in part.ports}
    ((alertmanager,),) = (
        config["targets"] for one in told["alerting"]["alertmanagers"] for config in one["static_configs"]
    )
    name, port = alertmanager.split(":")
    assert f"127.0.0.1:{port}:{port}" in SERVICES[name]["ports"]


def test_alerts_go_to_a_service() -> None:
    """The alerts worker tells the Alertmanager of the file everything."""
    (route,) = read_routes(CHECKOUT / "deploy/containers/routes.toml", {}).values()
    assert (route.kind, route.everything) == ("alertmanager", True)
    name, _, port = route.url.removeprefix("http://").partition(":")
    assert f"127.0.0.1:{port}:{port}" in SERVICES[name]["ports"]
