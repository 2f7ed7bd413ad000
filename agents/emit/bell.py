"""What wakes the one thread that waits: rung often, it costs a caller next to nothing."""

from __future__ import annotations

import threading


class Bell:
    """A lock as a bell: releasing one that is open already is the bell ringing on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._lock.acquire()

    def ring(self) -> None:
        """Wake who waits, or who will."""
        try:
            self._lock.release()
        except RuntimeError:
            return

    def wait(self, timeout_s: float) -> bool:
        """Wait for the bell; False when it did not ring in time."""
        return self._lock.acquire(timeout=max(0.0, timeout_s))
