"""Ids of Kafka clusters: 16 random bytes as 22 characters."""

from __future__ import annotations

import base64
import uuid

# org.apache.kafka.common.Uuid reads exactly this many characters of unpadded base64url.
LENGTH = 22


def new_cluster_id() -> str:
    """Return a new id; one that would read as an option ("-…") is not used."""
    while True:
        text = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode()[:LENGTH]
        if not text.startswith("-"):
            return text
