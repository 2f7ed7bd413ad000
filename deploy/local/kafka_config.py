"""The text of server.properties for one broker that is its own controller, on loopback."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from driftline.deploy.local.ports import LOOPBACK


@dataclass(frozen=True, slots=True)
class BrokerPorts:
    """Where clients and the controller listen."""

    clients: int
    controller: int


def server_properties(data: Path, ports: BrokerPorts) -> str:
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
    }
    return "".join(f"{key}={value}\n" for key, value in lines.items())
