"""Who may do what in Kafka: one table of roles, from which ACLs, their tests and their documentation are made.

Nobody may do what does not stand here. Names of topics, groups and transactional ids stand without the topics' prefix.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

from driftline.schemas.topics import ACKS, COMMANDS, PROFILES, STATES, TOPICS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Kind = Literal["topic", "group", "transactional id", "cluster"]
Action = Literal[
    "read", "write", "describe", "create", "delete", "alter", "describe configs", "alter configs"
]

USER: Final = "driftline-"
"""What the names of the users begin with, after the topics' prefix."""
CLUSTER: Final = "kafka-cluster"
EVENTS: Final = ("predictions", "labels", "emitter-status")
"""What emitters write."""
_ALL: Final = tuple(entry.name for entry in TOPICS)
_TAIL: Final = "driftline-tail-*"
_RESTATER: Final = "driftline-restater"
_AUDIT_READER: Final = "driftline-audit-*"
_OF_STATE: Final[tuple[Action, ...]] = ("read", "write", "create")
_OF_ADMIN: Final[tuple[Action, ...]] = (
    "create", "delete", "describe", "alter", "describe configs", "alter configs",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Role:
    """One kind of process or person, with a user of its own.

    Attributes:
        name: of the role; the user is `<prefix>driftline-<name>`.
        about: who that is.
        reads: topics.
        writes: topics.
        states: topics of its own, which it makes, writes and reads.
        joins: consumer groups whose positions it commits; a name ending with "*" is a beginning.
        looks: consumer groups that its readers name and never join, or whose positions it asks for.
        transactions: transactional ids.
        configs: whether it may see how topics are configured.
    """

    name: str
    about: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    joins: tuple[str, ...] = ()
    looks: tuple[str, ...] = ()
    transactions: tuple[str, ...] = ()
    configs: bool = False


@dataclass(frozen=True, slots=True)
class Grant:
    """One thing allowed: an action on a resource, whose `name` is a beginning where `is_prefix`."""

    action: Action
    kind: Kind
    name: str
    is_prefix: bool = False


ADMIN: Final = "admin"
"""Makes topics and configures them, and migrates ClickHouse; reads and writes no record."""
OPERATOR: Final = "operator"
"""People at the command line."""

ROLES: Final = (
    Role(ADMIN, "migrations and topics: 'driftline migrate', the supervisor of 'driftline up'"),
    Role("emitter", "applications that serve a model, 'driftline emit'", writes=EVENTS),
    Role(
        "drift",
        "'driftline worker drift'",
        reads=("predictions", "emitter-status", PROFILES, STATES),
        writes=("windows",),
        states=("driftline-drift-state-changelog",),
        joins=("driftline-drift",),
        looks=(_TAIL, _RESTATER),
    ),
    Role(
        "accuracy",
        "'driftline worker accuracy'",
        reads=("predictions", "labels", PROFILES, STATES),
        writes=("windows",),
        states=("driftline-accuracy-state",),
        joins=("driftline-accuracy",),
        looks=(_TAIL, _RESTATER, "driftline-accuracy-state-reader"),
    ),
    Role(
        "alerts",
        "'driftline worker alerts'",
        reads=("windows", "alerts", "emitter-status", PROFILES, STATES),
        writes=("alerts",),
        states=("driftline-alerts-state",),
        joins=("driftline-alerts", "driftline-alerts-to-*"),
        looks=(_TAIL, "driftline-alerts-state-reader"),
    ),
    Role(
        "archive",
        "'driftline worker archive'",
        reads=(*EVENTS, "windows", "alerts", "dead-letter", "audit", ACKS),
        writes=("dead-letter",),
        joins=("driftline-archive",),
        looks=(_AUDIT_READER,),
    ),
    Role(
        "controller",
        "'driftline controller', 'driftline trust init'",
        reads=(COMMANDS, ACKS, "audit", "checkpoints", STATES, PROFILES, "windows", "alerts"),
        writes=("audit", STATES, PROFILES, "checkpoints"),
        joins=("driftline-controller",),
        looks=("driftline-controller-*", "driftline-feed-*", _AUDIT_READER),
        transactions=("driftline-controller",),
    ),
    Role(
        "agent",
        "'driftline serve'",
        reads=("audit", STATES),
        writes=(ACKS, *EVENTS),
        looks=("driftline-serve-*",),
    ),
    Role(
        "witness",
        "'driftline audit witness'",
        reads=("audit", "checkpoints"),
        writes=("checkpoints",),
        looks=(_AUDIT_READER,),
    ),
    Role(
        "challenger",
        "'driftline worker challenger'",
        reads=("predictions",),
        writes=("predictions",),
        joins=("driftline-challenger-*",),
    ),
    Role("retrain", "'driftline worker retrain'", reads=("alerts",), joins=("driftline-retrain",)),
    Role(
        OPERATOR,
        "people at the command line: signed commands, acknowledged alerts, every look",
        reads=_ALL,
        writes=(COMMANDS, "alerts"),
        looks=("driftline-*",),
        configs=True,
    ),
    Role(
        "publisher",
        "'driftline profile publish', 'driftline deployment apply'",
        reads=(PROFILES, STATES, "audit", "checkpoints"),
        writes=(PROFILES, STATES),
        looks=("driftline-*",),
    ),
    Role("mender", "'driftline dead-letter retry'", writes=EVENTS),
    Role(
        "replay",
        "'driftline replay'",
        reads=("predictions", "labels", PROFILES, STATES, "windows"),
        writes=("windows",),
        looks=("driftline-*",),
    ),
)
_BY_NAME: Final[Mapping[str, Role]] = MappingProxyType({role.name: role for role in ROLES})


def role(name: str) -> Role:
    """The role of a name; raises LookupError for a name that is not in the table."""
    try:
        return _BY_NAME[name]
    except KeyError:
        message = f"no role {name!r}; there are {', '.join(_BY_NAME)}"
        raise LookupError(message) from None


def user_of(name: str, prefix: str) -> str:
    """The name of a role's user."""
    return f"{prefix}{USER}{name}"


def grants(of: Role, prefix: str) -> Iterator[Grant]:
    """Everything that a role may do, in the order of the table.

    Args:
        of: the role.
        prefix: of the topics.
    """
    if of.name == ADMIN:
        yield from _of_admin(prefix)
    yield from (Grant("read", "topic", prefix + name) for name in of.reads)
    yield from (Grant("write", "topic", prefix + name) for name in of.writes)
    for name in of.states:
        yield from (Grant(action, "topic", prefix + name) for action in _OF_STATE)
    yield from (Grant("read", "group", *_named(prefix + name)) for name in of.joins)
    # Readers that only look name their group without the prefix, or with it where it is also their own topic's.
    for name in of.looks:
        for whole in dict.fromkeys((name, prefix + name)):
            yield Grant("describe", "group", *_named(whole))
    yield from (Grant("write", "transactional id", prefix + name) for name in of.transactions)
    if of.configs:
        yield from (Grant("describe configs", "topic", prefix + name) for name in _ALL)


def _of_admin(prefix: str) -> Iterator[Grant]:
    for action in _OF_ADMIN:
        yield Grant(action, "topic", prefix or "*", is_prefix=bool(prefix))
    yield Grant("describe", "cluster", CLUSTER)
    if not prefix:
        yield Grant("create", "cluster", CLUSTER)


def _named(name: str) -> tuple[str, bool]:
    return (name[:-1], True) if name.endswith("*") else (name, False)
