"""The tables of roles name what the code uses: groups, transactional ids, topics and tables."""

from __future__ import annotations

import re
from pathlib import Path

from driftline.agents.control.controller.pen import TRANSACTIONAL
from driftline.agents.control.controller.seat import GROUP as CONTROLLER
from driftline.agents.retrain.worker import GROUP as RETRAIN
from driftline.schemas import access
from driftline.schemas.topics import TOPICS
from driftline.streams.archive.office import SENT_AGAIN
from driftline.streams.archive.reader import GROUP as ARCHIVE
from driftline.streams.archive.shelves import SHELVES
from driftline.streams.clickhouse import users
from driftline.streams.clickhouse.migrate import shipped
from driftline.streams.processors.accuracy_worker import GROUP as ACCURACY
from driftline.streams.processors.alert_feed import GROUP as TO
from driftline.streams.processors.alerts import STATE_TOPIC
from driftline.streams.processors.alerts_worker import GROUP as ALERTS
from driftline.streams.processors.join_store import NAME


def test_groups_and_ids_are_those_of_the_code() -> None:
    """Each worker joins the groups that its role names, under the ids that it names."""
    joined = {role.name: role.joins for role in access.ROLES}
    assert joined["controller"] == (CONTROLLER,)
    assert joined["retrain"] == (RETRAIN,)
    assert joined["archive"] == (ARCHIVE,)
    assert joined["accuracy"] == (ACCURACY,)
    assert joined["alerts"] == (ALERTS, TO + "*")
    assert access.role("controller").transactions == (TRANSACTIONAL,)
    assert access.role("accuracy").states == (NAME,)
    assert access.role("alerts").states == (STATE_TOPIC,)
    assert access.role("mender").writes == SENT_AGAIN


def test_topics_of_the_table_are_those_of_the_contract() -> None:
    """No role names a topic that there is not, and nobody but people reads all."""
    known = {topic.name for topic in TOPICS}
    for role in access.ROLES:
        assert {*role.reads, *role.writes} <= known, role.name
    assert {role.name for role in access.ROLES if set(role.reads) == known} == {"operator"}
    assert set(access.role("archive").reads) == set(SHELVES)


def test_a_prefix_stands_before_every_name_of_ours() -> None:
    """With a prefix nothing is granted on names without it, but looking at groups that readers name without."""
    for role in access.ROLES:
        for one in access.grants(role, "eu."):
            allowed = one.name.startswith("eu.") or one.kind == "cluster" or one.action == "describe"
            assert allowed, (role.name, one)


def test_tables_of_the_grants_are_those_of_the_migrations() -> None:
    """Every table and view that a grant names is made by a migration, and every engine that they use is granted."""
    sql = "\n".join(migration.sql for migration in shipped())
    made = set(re.findall(r"CREATE (?:OR REPLACE )?(?:TABLE|VIEW)(?: IF NOT EXISTS)? (\w+)", sql))
    named = {table for role in users.ROLES for tables in role.grants.values() for table in tables} - {"*"}
    assert named <= made
    assert set(re.findall(r"ENGINE = (\w+)", sql)) == set(users.ENGINES)


def test_what_the_archive_asks_of_the_server_is_granted(checkout: Path) -> None:
    """Each table of `system` that the archive's code names is granted; `tables` is everybody's, of what they see."""
    sources = [*(checkout / "streams/archive").glob("*.py"), *(checkout / "streams/clickhouse").glob("*.py")]
    named = {
        table
        for path in sources
        if path.name != "users.py"
        for table in re.findall(r"FROM system\.(\w+)", path.read_text())
    }
    archive = next(role for role in users.ROLES if role.name == "archive")
    assert named - {"tables"} == set(archive.system)
