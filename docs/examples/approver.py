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
from threading import Thread

from driftline.agents.control.keys import Key, load
from driftline.deploy.control.asking import built, published
from driftline.deploy.control.board import Board
from driftline.deploy.control.wire import Wire, wire_of
from driftline.schemas.errors import DriftlineError
from driftline.schemas.settings import load as settings_of

MOST_BYTES = 256 * 1024


class RevokedError(DriftlineError):
    """A key that counts no more, or never did: whoever waits for it waits in vain."""


def decide(wire: Wire, genesis: str, key: Key, tickets: set[str], digest: str) -> str:
    """Approve or deny the command of a digest, and say what came of it."""
    board = Board(wire, genesis)
    if key.keyid not in board.desk.history.now.ring.holders:
        raise RevokedError(f"the key {key.keyid} is nobody's in this installation, or is revoked")
    waiting = board.waiting(digest)
    ticket = waiting.command.ticket
    op, reason = (
        ("approve", f"ticket {ticket} is released") if ticket in tickets else ("deny", "no released ticket")
    )
    fields = {"target": waiting.digest, "deployment": waiting.command.deployment, "reason": reason}
    asked = built(board, op, fields, [key], time.time_ns() // 1_000_000, os.urandom)
    return published(wire, board, asked, timeout_s=30.0, clock=time.monotonic).event


def digest_in(body: bytes) -> str | None:
    """Give the digest that a webhook's body names, None for a body that names none."""
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    digest = said.get("digest") if isinstance(said, dict) else None
    return digest if isinstance(digest, str) else None


def main(key_file: Path, tickets_file: Path, port: int) -> None:
    """Listen, on this machine alone, until stopped."""
    settings, key = settings_of(os.environ), load(key_file)

    class Handler(BaseHTTPRequestHandler):
        timeout = 30  # s, for a caller that sends nothing

        def do_POST(self) -> None:
            """Take one command that waits; one that cannot be decided now comes again."""
            status, words = self.told()
            print(words, flush=True)
            body = f"{words}\n".encode()
            self.send_response(status)
            self.send_header("Content-Type", "text/plain; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def told(self) -> tuple[int, str]:
            """Decide what was told; gives the status and why."""
            size = self.headers.get("Content-Length", "0")
            if not size.isdecimal():
                return 400, "Content-Length is no number"
            if int(size) > MOST_BYTES:
                return 413, f"the body has more than {MOST_BYTES:,} bytes"
            digest = digest_in(self.rfile.read(int(size)))
            if digest is None:
                return 400, "the body is no JSON object with a digest"
            try:
                tickets = set(tickets_file.read_text(encoding="utf-8").split())
                with closing(wire_of(settings.kafka)) as wire:
                    return 200, f"{digest} {decide(wire, settings.control.genesis, key, tickets, digest)}"
            except RevokedError as error:
                # Nothing more can be decided here: whoever runs this is to see it.
                Thread(target=server.shutdown).start()
                return 403, str(error)
            except (DriftlineError, OSError, UnicodeDecodeError) as error:
                return 503, str(error)

    with HTTPServer(("127.0.0.1", port), Handler) as server:
        server.serve_forever()
    sys.exit("stopped: this key approves nothing here any more")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
