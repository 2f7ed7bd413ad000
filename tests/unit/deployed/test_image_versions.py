"""The images of docker-compose.yml are of the versions that the tests have run."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from pathlib import Path

import pytest
import yaml
from programs import needed

from driftline.deploy.board.query import PLUGIN_VERSION


@pytest.fixture(scope="module")
def dockerfile(checkout: Path) -> str:
    """The Dockerfile."""
    return (checkout / "deploy/containers/Dockerfile").read_text(encoding="utf-8")


def image(checkout: Path, service: str) -> str:
    """The tag of a service's image."""
    document = yaml.safe_load((checkout / "docker-compose.yml").read_text(encoding="utf-8"))
    return str(document["services"][service]["image"]).partition(":")[2]


def test_kafka_is_that_of_the_local_stack(checkout: Path) -> None:
    """Kafka's image has the version of the jars that the local stack runs."""
    pom = (checkout / "deploy/local/pom.xml").read_text(encoding="utf-8")
    assert f"<version>{image(checkout, 'kafka')}</version>" in pom


def test_clickhouse_is_that_of_the_local_stack(checkout: Path) -> None:
    """ClickHouse's image is of the release line whose engine the local stack runs."""
    package = json.loads((checkout / "deploy/local/package.json").read_text())
    (engine,) = package["dependencies"].values()
    assert engine.startswith(image(checkout, "clickhouse") + ".")


@pytest.mark.parametrize(
    ("service", "program"),
    [
        pytest.param("prometheus", "prometheus", marks=pytest.mark.needs("prometheus")),
        pytest.param(
            "alertmanager", "prometheus-alertmanager", marks=pytest.mark.needs("prometheus-alertmanager")
        ),
    ],
)
def test_prometheus_and_alertmanager_are_of_the_tested_line(
    checkout: Path, service: str, program: str
) -> None:
    """Their images are of the major version whose programs the rules are tested with, and not older."""
    done = subprocess.run([needed(program), "--version"], capture_output=True, text=True, check=True)
    (tested,) = re.findall(rf"^{service}, version (\S+)", done.stdout + done.stderr, re.MULTILINE)
    found = image(checkout, service).removeprefix("v").split(".")
    assert found[0] == tested.split(".")[0]
    assert list(map(int, found[:2])) >= list(map(int, tested.split(".")[:2]))


def test_ours_carry_the_version_of_the_project(checkout: Path) -> None:
    """Our images are tagged with the version of the distribution."""
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert {image(checkout, name) for name in ("drift", "agent", "grafana")} == {project["version"]}


def test_python_is_one_that_is_tested(checkout: Path, dockerfile: str) -> None:
    """The base has a Python that the distribution says it is for, of one exact version."""
    (found,) = re.findall(r"^ARG BASE=python:(3\.\d+)\.\d+-slim-\w+$", dockerfile, re.MULTILINE)
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert f"Programming Language :: Python :: {found}" in project["classifiers"]


def test_grafana_is_what_its_dashboards_are_built_for(checkout: Path, dockerfile: str) -> None:
    """Grafana and its plugin have the versions that the dashboards are written for."""
    (found,) = re.findall(r"^FROM grafana/grafana:(\S+)", dockerfile, re.MULTILINE)
    assert f"grafana-foundation-sdk==1769699379!{found}" in (checkout / "pyproject.toml").read_text()
    assert f"grafana-clickhouse-datasource {PLUGIN_VERSION}\n" in dockerfile
