"""The text of server.properties for one broker that is its own controller, on loopback."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from driftline.deploy.local.ports import LOOPBACK


@dataclass(frozen=True, slots=True)
class BrokerPorts:
    """Where clients and the controller listen."""

    clients: int
    controller: int


@dataclass(frozen=True, slots=True)
class BrokerAccess:
    """How a broker is secured: TLS and a user for everybody, nothing allowed that no ACL allows.

    Attributes:
        certificate: file of the certificate and its key.
        authority: file of who signed it.
        password: of BROKER, which the broker, and who sets users and ACLs, log in as.

    """

    certificate: Path
    authority: Path
    password: str = field(repr=False)


BROKER = "broker"
"""The one super user."""


def server_properties(data: Path, ports: BrokerPorts, access: BrokerAccess | None = None) -> str:
    """Return the configuration; the reasons for what differs from Kafka's defaults stand beside it."""
    lines = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@{LOOPBACK}:{ports.controller}",
        "listeners": f"CLIENT://{LOOPBACK}:{ports.clients},CONTROLLER://{LOOPBACK}:{ports.controller}",
        "advertised.listeners": f"CLIENT://{LOOPBACK}:{ports.clients}",
        "listener.security.protocol.map": "CLIENT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "CLIENT",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": str(data),
        # One node: nothing can be replicated.
        "default.replication.factor": "1",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        "min.insync.replicas": "1",
        # The defaults, 50 each, cost start time and files.
        "offsets.topic.num.partitions": "4",
        "transaction.state.log.num.partitions": "4",
        "share.coordinator.state.topic.num.partitions": "4",
        # A worker that joins alone need not wait for others.
        "group.initial.rebalance.delay.ms": "0",
        # Topics come from driftline.schemas.topics; a misspelt one must fail.
        "auto.create.topics.enable": "false",
        # A broker that was killed is let back when its old session ends: 4.7 s instead of 12.9 s.
        "broker.session.timeout.ms": "3000",
        "broker.heartbeat.interval.ms": "500",
        # Twice a second the controller would write that nothing happened: at rest 2 % of a core instead of 3 %.
        "metadata.max.idle.interval.ms": "5000",
    }
    if access is not None:
        lines |= _secured(access)
    return "".join(f"{key}={value}\n" for key, value in lines.items())


def _secured(access: BrokerAccess) -> dict[str, str]:
    scram = "org.apache.kafka.common.security.scram.ScramLoginModule required"
    plain = "org.apache.kafka.common.security.plain.PlainLoginModule required"
    who = f'username="{BROKER}" password="{access.password}"'
    return {
        "listener.security.protocol.map": "CLIENT:SASL_SSL,CONTROLLER:SASL_SSL",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "sasl.mechanism.inter.broker.protocol": "SCRAM-SHA-512",
        "listener.name.client.scram-sha-512.sasl.jaas.config": f"{scram} {who};",
        # The controller knows no users before it has read them: its own listener has one, told here.
        "sasl.mechanism.controller.protocol": "PLAIN",
        "listener.name.controller.sasl.enabled.mechanisms": "PLAIN",
        "listener.name.controller.plain.sasl.jaas.config": f'{plain} {who} user_{BROKER}="{access.password}";',
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(access.certificate),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(access.authority),
        "ssl.enabled.protocols": "TLSv1.3,TLSv1.2",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{BROKER}",
        "allow.everyone.if.no.acl.found": "false",
        # Somebody who fails to log in waits before the answer, and cannot hold every place.
        "connection.failed.authentication.delay.ms": "200",
        "max.connections": "1000",
    }
