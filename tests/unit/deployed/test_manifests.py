"""The manifests of deploy/k8s, built by the real kustomize: against their schemas, the code, and each other."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml
from deployed import Part, bytes_of, files_of, filled, opened, parsed, placed, settings_of
from manifested import WORKLOADS, Object, built, containers_of, of_kind, parts_of, pod_of

from driftline.deploy.access.files import NAMES
from driftline.deploy.local.worker import ROLES, WorkerProcess
from driftline.schemas.access import role
from driftline.schemas.settings import Kafka

CHECKOUT = Path(__file__).resolve().parents[3]
OVERLAYS = ("small", "production")
CRDS = {
    "ScaledObject": "scaled-object",
    "TriggerAuthentication": "trigger-authentication",
    "PodMonitor": "pod-monitor",
    "PrometheusRule": "prometheus-rule",
}
"""Kinds that Kubernetes itself does not know -> their schema in tests/support/contracts."""
VERSIONS = ("1.30", kubernetes_validate.latest_version())
"""The oldest that has all that the manifests ask for (a sleep before the stop), and the newest that is known."""

pytestmark = pytest.mark.needs("kustomize")


@pytest.fixture(params=OVERLAYS)
def objects(request: pytest.FixtureRequest) -> tuple[Object, ...]:
    """All objects of an overlay."""
    return built(CHECKOUT / "deploy/k8s/overlays" / request.param)


@pytest.fixture
def parts(objects: tuple[Object, ...], tmp_path: Path) -> dict[str, Part]:
    """Our containers, their paths below a folder in which the files that they read are."""
    found = {name: placed(part, tmp_path) for name, part in parts_of(objects).items()}
    for part in found.values():
        filled(part, tmp_path, files_of(part))
        Path(part.env["DRIFTLINE_CONFIG"]).write_text("")
    return found


@pytest.mark.parametrize("version", VERSIONS)
def test_kubernetes_takes_every_object(objects: tuple[Object, ...], version: str) -> None:
    """Each object passes the strict schema of its kind: no field is unknown."""
    for one in objects:
        if one["kind"] not in CRDS:
            kubernetes_validate.validate(one, version, strict=True)


def test_operators_take_their_objects(objects: tuple[Object, ...]) -> None:
    """Each object of KEDA's and of the Prometheus operator's passes the schema of its CRD, without unknown fields."""
    for one in objects:
        if one["kind"] in CRDS:
            text = (CHECKOUT / f"tests/support/contracts/{CRDS[one['kind']]}.json").read_text()
            jsonschema.Draft202012Validator(json.loads(text)).validate(one)


def test_every_command_is_one_of_ours(parts: dict[str, Part]) -> None:
    """The command line takes the arguments of every container."""
    for part in parts.values():
        assert len(parsed(part.argv)) > 1


def test_every_variable_is_a_setting(parts: dict[str, Part]) -> None:
    """Each variable is a setting with an allowed value, and paths lie in mounted volumes."""
    for part in parts.values():
        settings_of(part)
        assert {name for name in part.env if not name.startswith("DRIFTLINE_")} <= {
            "OMP_NUM_THREADS",
            "WITNESS_NAME",
        }


def test_probes_and_ports_are_those_that_are_opened(parts: dict[str, Part]) -> None:
    """Each probe asks a port that the settings open for a path that is answered there, and no port is named in vain."""
    apps = ("agents/serving/app.py", "deploy/board/web/app.py")
    answered = "".join((CHECKOUT / app).read_text(encoding="utf-8") for app in apps)
    for part in parts.values():
        ports, host = opened(part)
        assert part.ports == ports
        assert not ports or host == "0.0.0.0"  # noqa: S104 - the network of the pod
        assert {port for port, _ in part.asked} <= ports
        assert all(path == "/metrics" or f'"{path}"' in answered for _, path in part.asked)
        assert bool(part.asked) == bool(ports)


def test_what_opens_a_port_is_ready_while_it_answers_there(objects: tuple[Object, ...]) -> None:
    """What it answers says whether it has begun, is ready, and lives: a roll-out waits, a wedged one is ended."""
    for name, one in of_kind(objects, *WORKLOADS).items():
        for container in containers_of(one):
            probes = {key for key in container if key.endswith("Probe")}
            wanted = {"startupProbe", "readinessProbe", "livenessProbe"} if container.get("ports") else set()
            assert probes == wanted, name


def test_every_worker_is_there_and_may_end_well(parts: dict[str, Part]) -> None:
    """Each role of `driftline worker` that `driftline up` starts has a Deployment, and time for its last checkpoint."""
    workers = {part.argv[1]: part for part in parts.values() if part.argv[0] == "worker"}
    assert set(workers) == set(ROLES)
    assert all(part.grace_s > WorkerProcess.stop_seconds for part in workers.values())


def test_an_agent_drains_before_it_ends(objects: tuple[Object, ...], parts: dict[str, Part]) -> None:
    """An agent is ready only while it serves, and is given longer than it waits, drains and ends its requests."""
    (agent,) = (one for one in pod_of(of_kind(objects, "StatefulSet")["agent"])["containers"])
    serve = settings_of(parts["agent"]).serve
    assert agent["readinessProbe"]["httpGet"]["path"] == "/v2/health/ready"
    waits = agent["lifecycle"]["preStop"]["sleep"]["seconds"]
    noticed = agent["readinessProbe"]["periodSeconds"] * agent["readinessProbe"]["failureThreshold"]
    assert serve.drain_seconds > noticed
    assert parts["agent"].grace_s > waits + serve.drain_seconds + serve.stop_seconds + 10


def test_pods_are_restricted(objects: tuple[Object, ...]) -> None:
    """Each pod keeps to the Pod Security Standard `restricted`, which the namespace enforces, with a read-only root."""
    (space,) = of_kind(objects, "Namespace").values()
    assert space["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for one in of_kind(objects, *WORKLOADS).values():
        pod = pod_of(one)
        assert {"hostNetwork", "hostPID", "hostIPC"} & pod.keys() == set()
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] == 10001
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is pod["enableServiceLinks"] is False
        assert all({"secret", "emptyDir"} & volume.keys() for volume in pod["volumes"])
        for container in containers_of(one):
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_images_have_the_version_of_the_project(objects: tuple[Object, ...]) -> None:
    """Every container runs our image, by the version of the distribution."""
    version = tomllib.loads((CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    images = {
        container["image"]
        for one in of_kind(objects, *WORKLOADS).values()
        for container in containers_of(one)
    }
    assert images == {f"driftline:{version}"}


def test_what_was_measured_is_asked_for(objects: tuple[Object, ...]) -> None:
    """Each container asks for memory and has a bound on it; drift asks for no less than docs/benchmarks.md measured."""
    text = (CHECKOUT / "docs/benchmarks.md").read_text(encoding="utf-8")
    measured = re.findall(r"^\| memory: drift worker[^|]*\| ([\d.]+) \| MB", text, re.MULTILINE)
    for name, one in of_kind(objects, *WORKLOADS).items():
        for container in containers_of(one):
            asks, most = (container["resources"][key]["memory"] for key in ("requests", "limits"))
            assert bytes_of(asks) <= bytes_of(most)
            assert name != "drift" or bytes_of(asks) >= max(map(float, measured)) * 1e6


def test_selectors_find_pods(objects: tuple[Object, ...]) -> None:
    """Services, budgets and policies select pods that are there; every kind of pod that runs on has a budget."""
    labels = {
        name: one["spec"]["template"]["metadata"]["labels"]
        for name, one in of_kind(objects, *WORKLOADS).items()
    }

    def found(selector: dict[str, str]) -> set[str]:
        return {name for name, held in labels.items() if selector.items() <= held.items()}

    for one in of_kind(objects, "Service").values():
        assert len(found(one["spec"]["selector"])) == 1
    for one in of_kind(objects, "NetworkPolicy").values():
        assert found(one["spec"]["podSelector"].get("matchLabels", {}))
    guarded = [
        found(one["spec"]["selector"]["matchLabels"])
        for one in of_kind(objects, "PodDisruptionBudget").values()
    ]
    assert set().union(*guarded) == labels.keys() - {"migrate", "witness"}
    for one in of_kind(objects, "StatefulSet").values():
        assert one["spec"]["serviceName"] in of_kind(objects, "Service")


def test_nothing_is_let_through_that_no_policy_names(objects: tuple[Object, ...]) -> None:
    """All traffic is denied but for what policies allow, and these allow the ports that pods open and settings name."""
    policies = of_kind(objects, "NetworkPolicy")
    nothing = policies["nothing"]["spec"]
    assert nothing == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    into = {
        port["port"]
        for one in policies.values()
        for rule in one["spec"].get("ingress", ())
        for port in rule["ports"]
    }
    named = {
        port["name"]
        for one in of_kind(objects, *WORKLOADS).values()
        for c in containers_of(one)
        for port in c.get("ports", ())
    }
    assert into == named
    out = {
        port["port"]
        for one in policies.values()
        for rule in one["spec"].get("egress", ())
        for port in rule["ports"]
    }
    (settings,) = (one["data"] for name, one in of_kind(objects, "ConfigMap").items() if "settings" in name)
    assert int(settings["DRIFTLINE_KAFKA_BOOTSTRAP"].rpartition(":")[2]) in out
    assert int(settings["DRIFTLINE_CLICKHOUSE_PORT"]) in out


def test_no_secret_stands_in_a_variable(objects: tuple[Object, ...], parts: dict[str, Part]) -> None:
    """What is a password, a key or a token comes as a file of a secret, which docs/deploy.md says how to make."""
    for part in parts.values():
        for key, value in part.env.items():
            assert value.startswith("/") or not re.search(r"PASSWORD|SECRET|TOKEN|_KEY\b", key), key
    told = (CHECKOUT / "docs/deploy.md").read_text(encoding="utf-8")
    secrets = {
        volume["secret"]["secretName"]
        for one in of_kind(objects, *WORKLOADS).values()
        for volume in pod_of(one)["volumes"]
        if "secret" in volume
    }
    secrets |= {
        ref["name"]
        for one in of_kind(objects, "TriggerAuthentication").values()
        for ref in one["spec"]["secretTargetRef"]
    }
    assert [name for name in sorted(secrets) if name not in told] == []


def test_each_pod_has_the_role_that_is_its_own(objects: tuple[Object, ...]) -> None:
    """A pod logs in as the role of its name; who migrates is the administrator."""
    for name, one in of_kind(objects, *WORKLOADS).items():
        secrets = {
            volume["secret"]["secretName"] for volume in pod_of(one)["volumes"] if volume["name"] == "role"
        }
        assert secrets == {f"driftline-role-{'admin' if name == 'migrate' else name}"}
        assert secrets.pop().removeprefix("driftline-role-") in NAMES


def test_workers_are_scaled_on_lag_of_their_own_groups() -> None:
    """Each ScaledObject scales a Deployment that says no number itself, on a group and a topic of that worker."""
    objects = built(CHECKOUT / "deploy/k8s/overlays/production")
    scaled = of_kind(objects, "ScaledObject")
    assert scaled
    (settings,) = (one["data"] for name, one in of_kind(objects, "ConfigMap").items() if "settings" in name)
    for name, one in scaled.items():
        spec, worker = one["spec"], role(name)
        assert "replicas" not in of_kind(objects, "Deployment")[spec["scaleTargetRef"]["name"]]["spec"]
        assert spec["maxReplicaCount"] == Kafka().partitions
        for trigger in spec["triggers"]:
            assert trigger["metadata"]["consumerGroup"] in worker.joins
            assert trigger["metadata"]["topic"] in worker.reads
            assert trigger["metadata"]["bootstrapServers"] == settings["DRIFTLINE_KAFKA_BOOTSTRAP"]
            assert trigger["authenticationRef"]["name"] in of_kind(objects, "TriggerAuthentication")


def test_metrics_are_asked_for_where_they_are() -> None:
    """The PodMonitor asks the port that pods call metrics, of every pod that has one."""
    objects = built(CHECKOUT / "deploy/k8s/overlays/production")
    (monitor,) = of_kind(objects, "PodMonitor").values()
    wanted = monitor["spec"]["selector"]["matchLabels"]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    for one in of_kind(objects, *WORKLOADS).values():
        assert wanted.items() <= one["spec"]["template"]["metadata"]["labels"].items()
    assert (endpoint["port"], endpoint["path"]) == ("metrics", "/metrics")


def test_targets_have_the_names_that_rules_know() -> None:
    """What the PodMonitor makes of each pod's label is the job, and for a worker the role, of Prometheus's own file."""
    (monitor,) = of_kind(built(CHECKOUT / "deploy/k8s/overlays/production"), "PodMonitor").values()
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    pattern = yaml.safe_load((CHECKOUT / "deploy/prometheus/prometheus.yml").read_text(encoding="utf-8"))
    wanted = {
        static["targets"][0].partition(":")[0]: {"job": job["job_name"], **static.get("labels", {})}
        for job in pattern["scrape_configs"]
        for static in job["static_configs"]
    }
    assert wanted.keys() >= {"drift", "controller", "agent"}
    for name, labels in wanted.items():
        made = {}
        for rule in endpoint["relabelings"]:
            assert rule["sourceLabels"] == ["__meta_kubernetes_pod_label_app_kubernetes_io_name"]
            if found := re.fullmatch(rule["regex"], name):
                made[rule["targetLabel"]] = rule.get("replacement") or found[1]
        assert made == labels
