"""Users and ACLs of Kafka, from the table of roles; what a user of ours may beside them is taken away."""

from __future__ import annotations

from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, Final

from confluent_kafka import KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialAlteration,
    UserScramCredentialUpsertion,
)

from driftline.deploy.access.files import AccessError, password_of
from driftline.deploy.local.kafka_topics import admin_client, reason
from driftline.schemas.access import ROLES, Grant, grants, user_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from confluent_kafka.admin import AdminClient

    from driftline.schemas.settings import Settings

ITERATIONS: Final = 8_192
"""Of SCRAM: passwords are random, so that more would only slow connecting down."""
_ANSWER_S: Final = 15.0
_MECHANISMS: Final = {
    "SCRAM-SHA-256": ScramMechanism.SCRAM_SHA_256,
    "SCRAM-SHA-512": ScramMechanism.SCRAM_SHA_512,
}
_KINDS: Final = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactional id": ResourceType.TRANSACTIONAL_ID,
    "cluster": ResourceType.BROKER,
}


def bindings(prefix: str) -> list[AclBinding]:
    """Every ACL of every role; `prefix` is that of the topics."""
    return [binding(grant, user_of(role.name, prefix)) for role in ROLES for grant in grants(role, prefix)]


def binding(grant: Grant, user: str) -> AclBinding:
    """One thing allowed, as Kafka takes it."""
    return AclBinding(
        _KINDS[grant.kind],
        grant.name,
        ResourcePatternType.PREFIXED if grant.is_prefix else ResourcePatternType.LITERAL,
        f"User:{user}",
        "*",
        AclOperation[grant.action.replace(" ", "_").upper()],
        AclPermissionType.ALLOW,
    )


def passwords(folder: Path) -> dict[str, str]:
    """The password of each role; raises AccessError for a file that is missing."""
    return {role.name: password_of(folder, role.name, "kafka") for role in ROLES}


def apply(settings: Settings, given: Mapping[str, str]) -> tuple[int, int, int]:
    """Make the users with their passwords, and their ACLs those of the table.

    Args:
        settings: of someone who may alter the cluster.
        given: role -> password; a role without one has no user made, as where certificates say who one is.

    Returns:
        Users set, ACLs made, ACLs taken away.

    Raises:
        AccessError: the cluster refused, or has no authorizer.
    """
    admin, prefix = admin_client(settings), settings.kafka.topic_prefix
    try:
        _set_users(admin, settings, given)
        wanted = set(bindings(prefix))
        held: set[AclBinding] = set()
        for role in ROLES:
            held |= set(admin.describe_acls(_of_user(user_of(role.name, prefix))).result(_ANSWER_S))
        missing, beside = sorted(wanted - held), sorted(held - wanted)
        _wait(admin.create_acls(missing).values() if missing else ())
        _wait(admin.delete_acls([_exactly(one) for one in beside]).values() if beside else ())
    except KafkaException as error:
        raise AccessError(
            f"Kafka at {settings.kafka.bootstrap} refused to set users and ACLs: {reason(error)}; "
            "it takes them of a user who may ALTER the cluster, on a broker with an authorizer"
        ) from error
    except TimeoutError as error:
        raise AccessError(f"Kafka at {settings.kafka.bootstrap} does not answer") from error
    return len(given), len(missing), len(beside)


def _set_users(admin: AdminClient, settings: Settings, given: Mapping[str, str]) -> None:
    mechanism = _MECHANISMS.get(settings.kafka.sasl_mechanism, ScramMechanism.SCRAM_SHA_512)
    info = ScramCredentialInfo(mechanism, ITERATIONS)
    wanted: list[UserScramCredentialAlteration] = [
        UserScramCredentialUpsertion(user_of(name, settings.kafka.topic_prefix), info, word.encode())
        for name, word in given.items()
    ]
    if wanted:
        _wait(admin.alter_user_scram_credentials(wanted).values())


def _of_user(user: str) -> AclBindingFilter:
    """Every ACL of a user: None is any name and any host, which the stubs of confluent-kafka do not know."""
    return AclBindingFilter(
        ResourceType.ANY,
        None,  # type: ignore[arg-type]
        ResourcePatternType.ANY,
        f"User:{user}",
        None,  # type: ignore[arg-type]
        AclOperation.ANY,
        AclPermissionType.ANY,
    )


def _exactly(one: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        one.restype,
        one.name,
        one.resource_pattern_type,
        one.principal,
        one.host,
        one.operation,
        one.permission_type,
    )


def _wait(futures: Iterable[Future[Any]]) -> None:
    for future in futures:
        future.result(_ANSWER_S)
