"""The tiny client: `Emitter` sends predictions and labels to Kafka, at no cost that the application notices."""

from __future__ import annotations

from driftline.agents.emit.emitter import Emitter
from driftline.agents.emit.errors import EmitterError
from driftline.agents.emit.ledger import Book
from driftline.agents.emit.options import EmitterOptions
from driftline.agents.emit.stats import Stats
from driftline.agents.emit.values import hashed

__all__ = ["Book", "Emitter", "EmitterError", "EmitterOptions", "Stats", "hashed"]
