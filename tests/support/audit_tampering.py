"""What anybody with write access might do to a log: bytes that are changed, cut, doubled; records lost and mixed."""

from __future__ import annotations

import random

NOISE = (b"\n", b"\n\n", b"\r", b'"', b"[" * 50, b"9" * 400, b"\xe2\x80\x94 ")


def mutated(data: bytes, draw: random.Random) -> bytes:
    """Return bytes with one to four small faults."""
    out = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 4))):
        at = draw.randrange(max(1, len(out)))
        fault = draw.randrange(4)
        if fault == 0:
            out[at : at + 1] = draw.randbytes(1)
        elif fault == 1:
            del out[at : at + draw.randrange(1, 9)]
        elif fault == 2:
            out[at:at] = draw.choice((*NOISE, draw.randbytes(4)))
        else:
            out[at:at] = out[at : at + draw.randrange(1, 200)]
    return bytes(out)


def tampered(records: list[bytes], notes: list[bytes], draw: random.Random) -> None:
    """Change records and notes in place, one to five times."""
    for _ in range(draw.choice((1, 1, 2, 5))):
        into = draw.choice((records, notes))
        if not into:
            continue
        at, other, kind = draw.randrange(len(into)), draw.randrange(len(into)), draw.randrange(6)
        if kind in (0, 1):
            into[at] = mutated(into[at], draw)
        elif kind == 2:
            del into[at]
        elif kind == 3:
            into.insert(at, draw.choice(records + notes))
        elif kind == 4:
            into[at], into[other] = into[other], into[at]
        else:
            del into[at:]
