"""A system that approves with a key of its own: it hears of what waits by webhook, and looks a change's ticket up.

Usage: approver.py KEY_FILE TICKETS_FILE PORT, with DRIFTLINE_KAFKA_BOOTSTRAP and DRIFTLINE_CONTROL_GENESIS set

Its key belongs to a person of kind "system" with the role approver in the trust file. It believes nothing that the
webhook says but the digest: what waits, and that a known person asked for it, it reads out of the verified audit.
"""

from __future__ import annotations

import json
import os
import sys
import time
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from driftline.agents.control.keys import Key, load
from driftline.deploy.control.asking import built, published
from driftline.deploy.control.board import Board
from driftline.deploy.control.wire import Wire, wire_of
from driftline.schemas.errors import DriftlineError
from driftline.schemas.settings import load as settings_of

MOST_BYTES = 256 * 1024


def decide(wire: Wire, genesis: str, key: Key, tickets: set[str], digest: str) -> str:
    """Approve or deny the command of a digest, and say what came of it."""
    board = Board(wire, genesis)
    waiting = board.waiting(digest)
    ticket = waiting.command.ticket
    op, reason = (
        ("approve", f"ticket {ticket} is released") if ticket in tickets else ("deny", "no released ticket")
    )
    fields = {"target": waiting.digest, "deployment": waiting.command.deployment, "reason": reason}
    asked = built(board, op, fields, [key], time.time_ns() // 1_000_000, os.urandom)
    return published(wire, board, asked, timeout_s=30.0, clock=time.monotonic).event


def main(key_file: Path, tickets_file: Path, port: int) -> None:
    """Listen, on this machine alone, until stopped."""
    settings, key = settings_of(os.environ), load(key_file)

    class Handler(BaseHTTPRequestHandler):
        timeout = 30  # s, for a caller that sends nothing

        def do_POST(self) -> None:
            """Take one command that waits; one that cannot be decided now comes again."""
            size = int(self.headers.get("Content-Length", "0"))
            status = self.told(json.loads(self.rfile.read(size))) if 0 <= size <= MOST_BYTES else 413
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def told(self, said: dict[str, str]) -> int:
            """Decide what was told."""
            tickets = set(tickets_file.read_text(encoding="utf-8").split())
            try:
                with closing(wire_of(settings.kafka)) as wire:
                    found = decide(wire, settings.control.genesis, key, tickets, said["digest"])
                    print(said["digest"], found, flush=True)
            except DriftlineError as error:
                print(error, flush=True)
                return 503
            return 200

    HTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
