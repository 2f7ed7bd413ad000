"""The producer's configuration: that of the contract, and what an emitter needs beyond it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from driftline.agents.emit.errors import EmitterError
from driftline.agents.emit.options import Options
from driftline.schemas.settings import Settings, load, producer_config

# Batches that librdkafka gives up are sent again from memory or from the spool; so it may give up early.
MESSAGE_TIMEOUT_MS: Final = 30_000
# An application's request must not wait behind a broker that comes back: try again at least once a second.
RECONNECT_MS: Final = 1_000
# Twice what the courier ever hands over at once.
QUEUE_KBYTES: Final = 16_384
# What a batch's one life depends on (STREAMS.md, "Counted once").
_FIXED: Final = ("enable.idempotence", "acks", "partitioner")


def producer_options(
    options: Options,
    settings: Settings | None,
    bootstrap: str | None,
    over: Mapping[str, Any] | None,
    env: Mapping[str, str],
) -> tuple[dict[str, Any], str]:
    """Librdkafka's options, and the prefix of topics.

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
    if over is not None and not isinstance(over, Mapping):
        raise EmitterError(f"kafka={over!r} is no mapping; give librdkafka's options by name")
    fixed = [name for name in _FIXED if name in (over or {})]
    if fixed:
        raise EmitterError(
            f"kafka={{{fixed[0]!r}: ...}} cannot be chosen; readers count on the one that is set"
        )
    config: dict[str, Any] = {
        **producer_config(kafka),
        "compression.type": options.compression,
        "message.timeout.ms": MESSAGE_TIMEOUT_MS,
        "reconnect.backoff.max.ms": RECONNECT_MS,
        "queue.buffering.max.kbytes": QUEUE_KBYTES,
        # Its own log writes a line for every attempt to connect; the emitter says what matters once a minute.
        "log_level": 0,
        "client.id": f"driftline-emit-{options.deployment}",
        **(over or {}),
    }
    return config, kafka.topic_prefix
