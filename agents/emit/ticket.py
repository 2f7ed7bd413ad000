"""What a caller of `flush` holds while it waits."""

from __future__ import annotations

import threading


class Ticket:
    """A caller of `flush`: it wants everything with an ordinal below `limit` delivered."""

    def __init__(self) -> None:
        self.done = threading.Event()
        self.limit: int | None = None
        self.delivered = False
