"""The producer's configuration: that of the contract, and what an emitter needs beyond it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from confluent_kafka import KafkaException, Producer

from driftline.agents.emit.errors import EmitterError
from driftline.agents.emit.options import Options
from driftline.schemas.settings import Settings, load, producer_config

# Batches that librdkafka gives up are sent again from memory or from the spool; so it may give up early.
MESSAGE_TIMEOUT_MS: Final = 30_000
# An application's request must not wait behind a broker that comes back: try again at least once a second.
RECONNECT_MS: Final = 1_000
# Twice what the courier ever hands over at once.
QUEUE_KBYTES: Final = 16_384
# What a batch's one life depends on.
_COUNTED: Final = ("enable.idempotence", "acks", "request.required.acks", "partitioner", "transactional.id")
# What has an argument of its own.
_ADDRESSES: Final = ("bootstrap.servers", "metadata.broker.list")
# The name of no option of librdkafka's.
_NONE: Final = "driftline.none"


def producer_options(
    options: Options,
    settings: Settings | None,
    bootstrap: str | None,
    over: Mapping[str, Any] | None,
    env: Mapping[str, str],
) -> tuple[dict[str, Any], str, int]:
    """Librdkafka's options, the prefix of topics, and how far ahead events may lie, ms.

    Raises EmitterError for an option that a caller may not choose, SettingsError for a wrong setting.
    """
    settings = load(env, None) if settings is None else settings
    if not isinstance(settings, Settings):
        raise EmitterError(
            f"settings={settings!r} are none; give what driftline.schemas.settings.load returns"
        )
    kafka = settings.kafka
    if bootstrap is not None:
        if not isinstance(bootstrap, str) or not bootstrap.strip():
            raise EmitterError(
                f"bootstrap={bootstrap!r} is no address; give host:port, or several with commas"
            )
        kafka = msgspec.structs.replace(kafka, bootstrap=bootstrap)
        _check_addresses(bootstrap)
    config: dict[str, Any] = {
        **producer_config(kafka),
        "compression.type": options.compression,
        "message.timeout.ms": MESSAGE_TIMEOUT_MS,
        "reconnect.backoff.max.ms": RECONNECT_MS,
        "queue.buffering.max.kbytes": QUEUE_KBYTES,
        # Its own log writes a line for every attempt to connect; the emitter says what matters once a minute.
        "log_level": 0,
        "client.id": f"driftline-emit-{options.deployment}",
        **_checked(over),
    }
    return config, kafka.topic_prefix, settings.worker.future_ms


def _check_addresses(bootstrap: str) -> None:
    for address in bootstrap.split(","):
        host, _, port = address.strip().rpartition(":")
        if not host or not (port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
            raise EmitterError(
                f"bootstrap={bootstrap!r} is no address; give host:port, or several with commas"
            )


def _checked(over: Mapping[str, Any] | None) -> dict[str, Any]:
    """Options for librdkafka by name, of which each is one; raises EmitterError for the first that is not."""
    if over is None:
        return {}
    if not isinstance(over, Mapping):
        raise EmitterError(f"kafka={over!r} is no mapping; give librdkafka's options by name")
    config: dict[str, Any] = {}
    for name, value in over.items():
        if name in _COUNTED:
            raise EmitterError(
                f"kafka={{{name!r}: ...}} cannot be chosen; readers count on the one that is set"
            )
        if name in _ADDRESSES:
            raise EmitterError(f"kafka={{{name!r}: ...}} cannot be chosen; give the address as bootstrap")
        if not isinstance(name, str) or not isinstance(value, str | int | float):
            raise EmitterError(
                f"kafka={{{name!r}: {value!r:.60}}} is no option; give a text or a number by name"
            )
        fault = _fault(name, value)
        if fault is not None:
            raise EmitterError(f"kafka={{{name!r}: {value!r:.60}}} is no option of librdkafka: {fault}")
        config[name] = value
    return config


def _fault(name: str, value: str | float) -> str | None:
    """Why librdkafka refuses an option, None when it takes it.

    It reads options one after another up to the first that it refuses. One that never is ends every attempt before
    anything is started: the option is right when that is the one refused.
    """
    try:
        Producer({name: value, _NONE: ""})
    except KafkaException as error:
        text = error.args[0].str()
    except (TypeError, ValueError) as error:
        text = str(error)
    return None if _NONE in text else text
