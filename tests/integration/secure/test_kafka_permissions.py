"""Everybody on the real broker may do what the table by hand says, and nothing else."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import pytest
from audit_logs import new_book
from broker_doors import Doors
from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from permissions import JOINS, STATES, TOPICS, TRANSACTS
from prometheus_client import CollectorRegistry
from signed import command

from driftline.agents.audit.errors import AuditError
from driftline.agents.audit.topic import Reader
from driftline.deploy.control.forgetting import Following
from driftline.schemas.access import ROLES
from driftline.schemas.settings import Control, Secret, kafka_config, producer_config
from driftline.schemas.topics import TOPICS as CONTRACT
from driftline.streams.archive.forget_recorder import ForgetRecorder
from driftline.streams.clickhouse import forgotten, reads
from driftline.streams.clickhouse.client import Client
from driftline.streams.metrics import ArchiveMetrics

if TYPE_CHECKING:
    from real_stack import TestStack

ADMINISTERS = {"CREATE", "DELETE", "DESCRIBE", "ALTER", "DESCRIBE_CONFIGS", "ALTER_CONFIGS"}
"""What the admin may do with each topic: make it, shape it, end it; neither read nor write it."""


def by_hand(role: str, topic: str) -> set[str]:
    """What the table says of a role and a topic, in Kafka's words."""
    if role == "admin":
        return ADMINISTERS
    cell = TOPICS[role][topic]
    words = {"READ" for letter in cell if letter == "r"} | {"WRITE" for letter in cell if letter == "w"}
    if words:
        words |= {"DESCRIBE"}
    return words | ({"DESCRIBE_CONFIGS"} if role == "operator" else set())


@pytest.fixture(scope="module")
def doors(secured: TestStack) -> dict[str, Doors]:
    """Every role's user, at the doors."""
    return {role: Doors(secured.settings_of(role)) for role in TOPICS}


def test_the_table_by_hand_knows_every_role_and_topic() -> None:
    """A role or a topic that is new must be written here too, by somebody who means it."""
    assert set(TOPICS) == {role.name for role in ROLES}
    assert {topic for cells in TOPICS.values() for topic in cells} == {topic.name for topic in CONTRACT}


def test_the_authorizer_allows_what_the_table_says(doors: dict[str, Doors]) -> None:
    """For every role and topic the broker's authorizer allows exactly what is written by hand."""
    topics = [topic.name for topic in CONTRACT]
    found = {role: door.allowed(topics) for role, door in doors.items()}
    wrong = {
        (role, topic): (sorted(allowed), sorted(by_hand(role, topic)))
        for role, held in found.items()
        for topic, allowed in held.items()
        if allowed != by_hand(role, topic)
    }
    assert wrong == {}


def test_groups_are_joined_by_their_own(doors: dict[str, Doors]) -> None:
    """Nobody commits the positions of a group but the role that it is of, and nobody deletes one."""
    found = {role: door.groups(JOINS) for role, door in doors.items()}
    joined = {group: {role for role in doors if "READ" in found[role][group]} for group in JOINS}
    assert joined == JOINS
    assert not [role for role in doors for group in JOINS if "DELETE" in found[role][group]]


def test_nobody_has_the_cluster(doors: dict[str, Doors]) -> None:
    """The admin may see it and make topics, nobody may alter it: nobody makes users and ACLs but the supervisor."""
    for role, door in doors.items():
        answer = door.admin.describe_cluster(include_authorized_operations=True).result(30)
        allowed = {one.name for one in answer.authorized_operations or ()}
        assert allowed == ({"DESCRIBE", "CREATE"} if role == "admin" else set()), role


def test_records_go_where_they_may(doors: dict[str, Doors]) -> None:
    """Done for real by two: the emitter writes events alone and reads nothing; the witness two topics and one."""
    topics = [topic.name for topic in CONTRACT]
    for role in ("emitter", "witness"):
        cells = TOPICS[role].items()
        assert doors[role].writes(topics) == {topic for topic, cell in cells if "w" in cell}
        assert doors[role].reads(topics) == {topic for topic, cell in cells if "r" in cell}


def test_a_transactional_id_is_its_owners(doors: dict[str, Doors]) -> None:
    """The controller alone may use its id: an operator who took it would fence the controller."""
    assert doors["controller"].transacts("driftline-controller")
    assert not doors["operator"].transacts("driftline-controller")


def test_strangers_do_not_come_in(secured: TestStack) -> None:
    """A wrong password, an unknown user and a client without TLS are not answered."""
    known = secured.settings_of("operator").kafka
    wrong = msgspec.structs.replace(known, sasl_password=Secret("wrong"))
    nobody = msgspec.structs.replace(known, sasl_username="driftline-nobody")
    for kafka in (wrong, nobody):
        heard: list[KafkaError] = []
        admin = AdminClient({**kafka_config(kafka), "log_level": 0, "error_cb": heard.append})
        with pytest.raises(KafkaException):
            admin.list_topics(timeout=1)
        deadline = time.monotonic() + 20
        while KafkaError._AUTHENTICATION not in {error.code() for error in heard}:
            assert time.monotonic() < deadline, heard
            admin.poll(0.1)
    bare = AdminClient({"bootstrap.servers": known.bootstrap, "log_level": 0})
    with pytest.raises(KafkaException):
        bare.list_topics(timeout=1)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("role", TOPICS)
def test_every_cell_done_for_real(doors: dict[str, Doors], role: str) -> None:
    """Each role reads, writes, trims, makes, widens, configures and deletes each topic, or is refused, as written."""
    door, topics = doors[role], [topic.name for topic in CONTRACT]
    cells, is_admin = TOPICS[role].items(), role == "admin"
    assert door.writes(topics) == {topic for topic, cell in cells if "w" in cell}
    assert door.reads(topics) == {topic for topic, cell in cells if "r" in cell}
    for topic in topics:
        assert door.configures(topic) == is_admin, topic
        assert door.widens(topic) == is_admin, topic
        assert door.trims(topic) == is_admin, topic
        if not is_admin:
            assert not door.deletes(topic), topic
    assert door.creates("another") == is_admin
    for state, owner in STATES.items():
        assert door.creates(state) == (role == owner or is_admin), state
    for name, owners in TRANSACTS.items():
        assert door.transacts(name) == (role in owners), name
    readable = next((topic for topic, cell in cells if "r" in cell), None)
    for group, owners in JOINS.items() if readable else ():
        assert door.joins(group, str(readable)) == (role in owners), group


@pytest.mark.slow
def test_the_admin_deletes_a_topic_and_others_do_not(doors: dict[str, Doors]) -> None:
    """The one action that cannot be tried without doing it: a topic of the admin's own, deleted by the admin alone."""
    made = doors["admin"].admin.create_topics([NewTopic("scratch", 1, 1)])["scratch"]
    made.result(30)
    assert not [role for role in doors if role != "admin" and doors[role].deletes("scratch")]
    assert doors["admin"].deletes("scratch")


def test_the_archives_user_suffices_to_judge_what_it_forgets(secured: TestStack) -> None:
    """It follows the audit, and writes down what that asks and how far it came, with the rights of its role alone."""
    book = new_book()
    book.decide(command("forget", target="a"), "sue")
    producer = Producer(producer_config(secured.settings_of("controller").kafka))
    for record in book.records:
        producer.produce("audit", record)
    assert producer.flush(60) == 0
    settings = secured.settings_of("archive")
    settings = msgspec.structs.replace(settings, control=Control(genesis=book.pins.genesis))
    recorder = ForgetRecorder(
        book.pins.genesis, partial(Following, settings), ArchiveMetrics(CollectorRegistry())
    )
    try:
        with Client(settings.clickhouse) as client:
            reads.wait_until(lambda: _looked(recorder, client), seconds=60, what="what is to be forgotten")
            assert {(seq, target) for seq, _, target in forgotten.known(client)} == {(1, "a")}
            assert not forgotten.is_asked(client)
            mark = forgotten.mark(client, book.pins.genesis)
            assert mark is not None
            assert mark.size == len(book.records)
    finally:
        recorder.close()


def _looked(recorder: ForgetRecorder, client: Client) -> bool:
    recorder.look(client)
    return bool(forgotten.known(client))


def test_a_wrong_password_is_told_as_one(secured: TestStack) -> None:
    """Who reads the audit with it hears that it is wrong, and not that no stack runs."""
    kafka = msgspec.structs.replace(secured.settings_of("operator").kafka, sasl_password=Secret("wrong"))
    told = (
        r"lets user 'driftline-operator' not in .*: give the name and the password by DRIFTLINE_KAFKA_SASL_"
    )
    with pytest.raises(AuditError, match=told):
        Reader(kafka)
