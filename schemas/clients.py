"""Client configurations, as dictionaries, from settings: librdkafka's and clickhouse-connect's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from driftline.schemas.topics import TOPICS

if TYPE_CHECKING:
    from driftline.schemas.settings import ClickHouse, Kafka

Config = dict[str, str | int | float | bool]


def kafka_config(kafka: Kafka) -> Config:
    """What every librdkafka client needs: brokers, TLS and SASL."""
    config: Config = {"bootstrap.servers": kafka.bootstrap, "security.protocol": kafka.security_protocol}
    if kafka.security_protocol.startswith("SASL_"):
        config["sasl.mechanism"] = kafka.sasl_mechanism
        config["sasl.username"] = kafka.sasl_username
        config["sasl.password"] = str(kafka.sasl_password)
    if kafka.security_protocol.endswith("SSL"):
        files = {
            "ssl.ca.location": kafka.ssl_ca_location,
            "ssl.certificate.location": kafka.ssl_certificate_location,
            "ssl.key.location": kafka.ssl_key_location,
            "ssl.key.password": str(kafka.ssl_key_password),
        }
        config.update({name: value for name, value in files.items() if value})
    return config


def producer_config(kafka: Kafka, **over: str | float) -> Config:
    """A producer that loses nothing and places keys as Java does; `over` adds options, _ for each dot."""
    return {
        **kafka_config(kafka),
        # Idempotence keeps order and writes once a session; it needs acks=all.
        "enable.idempotence": True,
        "acks": "all",
        # librdkafka's own default hashes with CRC-32: one deployment would lie in two partitions.
        "partitioner": "murmur2_random",
        "compression.type": "lz4",
        "linger.ms": 5,
        "message.max.bytes": max(entry.max_message_bytes for entry in TOPICS),
        # The broker checks a whole batch against max.message.bytes of the topic: stay below the smallest.
        "batch.size": 1_000_000,
        **_options(over),
    }


def consumer_config(kafka: Kafka, group: str, **over: str | float) -> Config:
    """A consumer that commits only when told to; `over` adds options, _ for each dot."""
    return {
        **kafka_config(kafka),
        "group.id": group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "isolation.level": "read_committed",
        # librdkafka waits a second by default once its queue is full, which halves the speed of catching up.
        "fetch.queue.backoff.ms": 5,
        # A message damaged on its way is found here, not in a figure.
        "check.crcs": True,
        **_options(over),
    }


def clickhouse_config(clickhouse: ClickHouse) -> dict[str, Any]:
    """Keyword arguments of clickhouse_connect.get_client, without the database, which may not exist yet."""
    config: dict[str, Any] = {
        "host": clickhouse.host,
        "port": clickhouse.port,
        "username": clickhouse.user,
        "password": str(clickhouse.password),
        "interface": "https" if clickhouse.secure else "http",
    }
    if clickhouse.secure:
        files = {
            "ca_cert": clickhouse.ca,
            "client_cert": clickhouse.client_certificate,
            "client_cert_key": clickhouse.client_key,
        }
        config["verify"] = clickhouse.verify
        config.update({name: value for name, value in files.items() if value})
    return config


def _options(over: dict[str, str | float]) -> Config:
    return {name.replace("_", "."): value for name, value in over.items()}
