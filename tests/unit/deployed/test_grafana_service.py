"""Grafana in docker-compose.yml: what its provisioning reads is given, and is what the code calls so."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from composed import compose_file, mounted, parts_of, with_secrets

from driftline.deploy.board.query import DATASOURCE, DATASOURCE_UID
from driftline.schemas.settings import ClickHouse
from driftline.streams.clickhouse.users import user_of

CHECKOUT = Path(__file__).resolve().parents[3]
PROVISIONING = CHECKOUT / "deploy/grafana/provisioning"
DOCUMENT = compose_file(CHECKOUT)
GRAFANA = DOCUMENT["services"]["grafana"]
OURS = "DRIFTLINE_GRAFANA_CLICKHOUSE_"


def provisioned(name: str) -> dict[str, Any]:
    """The one entry of a file of the provisioning."""
    document = yaml.safe_load((PROVISIONING / name / "driftline.yaml").read_text(encoding="utf-8"))
    ((entry,),) = (held for held in document.values() if isinstance(held, list))
    return dict(entry)


def test_variables_of_the_provisioning_are_those_that_are_given() -> None:
    """Each is given and read, and leads to the service, the port, the user and the database of the code."""
    read = set(re.findall(r"\$\{(\w+)\}", (PROVISIONING / "datasources/driftline.yaml").read_text()))
    given = {name: value for name, value in GRAFANA["environment"].items() if name.startswith("DRIFTLINE_")}
    assert read == set(given)
    assert given[f"{OURS}PORT"] in DOCUMENT["services"][given[f"{OURS}HOST"]]["expose"]
    assert given[f"{OURS}USER"] == user_of("grafana", given[f"{OURS}DATABASE"])
    assert given[f"{OURS}DATABASE"] == ClickHouse().database


def test_the_source_is_that_of_the_dashboards_and_they_lie_where_it_says() -> None:
    """Dashboards name the source by its uid and type; their folder is mounted where the provider looks."""
    source = provisioned("datasources")
    assert (source["uid"], source["type"]) == (DATASOURCE_UID, DATASOURCE)
    mounts = {mounted(one).path: mounted(one).source for one in GRAFANA["volumes"]}
    looked_at = provisioned("dashboards")["options"]["path"]
    assert (CHECKOUT / mounts[looked_at]).resolve() == CHECKOUT / "deploy/grafana/dashboards"
    assert (CHECKOUT / mounts["/etc/grafana/provisioning"]).resolve() == PROVISIONING


def test_passwords_are_files_that_are_made(tmp_path: Path) -> None:
    """The file of the source's password, and of Grafana's own, is one that `seed secrets` makes for it."""
    with_secrets(parts_of(DOCUMENT)["secrets"], tmp_path)
    mounts = {mounted(one).path: mounted(one).source for one in GRAFANA["volumes"]}
    files = [
        provisioned("datasources")["secureJsonData"]["password"].removeprefix("$__file{").removesuffix("}"),
        GRAFANA["environment"]["GF_SECURITY_ADMIN_PASSWORD__FILE"],
    ]
    for file in files:
        folder, _, name = file.rpartition("/")
        assert (tmp_path / mounts[folder] / name).is_file(), file
