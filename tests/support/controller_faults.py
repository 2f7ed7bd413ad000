"""Faults of controllers: what is asked of them meanwhile, kills at random points, and the check of what is left."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator
from typing import Final

from controlled import PROFILE, SHIFTS, WAIT_S, Hall, package

SHIFT_TURNS: Final = 300
"""How many turns people ask before others do."""
TURN_S: Final = 0.02
"""How long a turn lasts at least: a burst that no controller could follow would test the wait for it."""


def asked(hall: Hall, rng: random.Random) -> Iterator[None]:
    """Let people and strangers send something of all kinds, a piece a turn."""
    for turn in range(SHIFTS * SHIFT_TURNS):
        shift = turn // SHIFT_TURNS
        _sent(hall, rng, turn, f"ann-{shift}", f"val-{shift}")
        time.sleep(TURN_S)
        yield
    raise AssertionError("more is asked than the people of a hall may")


def _sent(hall: Hall, rng: random.Random, turn: int, ann: str, val: str) -> None:
    kind = rng.randrange(6)
    if kind <= 1:
        made = package(str(turn), name=f"d{turn % 3}")
        about = {"deployment": made.model.name, "model": made.model}
        hall.send("register", ann, **about, manifest=made.manifest, profile=PROFILE)
        hall.send("validate", val, **about, evidence="ef" * 32)
        hall.send("create", ann, **about, expected_revision=2)
    elif kind == 2:
        name = f"d{rng.randrange(3)}"
        hall.send("configure", ann, deployment=name, settings={"deployment": name, "owner": str(turn)})
    elif kind == 3:
        hall.send("halt-serving", ann, deployment=f"d{rng.randrange(3)}")
    elif kind == 4:
        for _ in range(rng.randrange(1, 60)):
            hall.publish("deployment-control", rng.randbytes(rng.randrange(1, 200)))
    else:
        envelope = hall.send("resume", ann, deployment="d1", target="serving", expected_revision=4)
        hall.publish("deployment-control", envelope.to_bytes())


def all_decided(hall: Hall) -> None:
    """Wait until the controllers have decided everything."""
    hall.flush()
    last = hall.send("halt-serving", "oli", deployment="last")
    hall.flush()
    hall.wait(lambda told: any(one.command == last.digest for one in told))


def killed(hall: Hall, rng: random.Random, times: int) -> None:
    """Kill the controller at random points while commands come, and start it again."""
    asking = asked(hall, rng)
    controller = hall.start()
    for _ in range(times):
        size = len(hall.audit())
        deadline = time.monotonic() + WAIT_S
        while len(hall.audit()) <= size:
            next(asking)
            hall.flush()
            assert controller.poll() is None, hall.log()
            assert time.monotonic() < deadline, hall.log()
        until = time.monotonic() + rng.uniform(0, 1.0)
        while time.monotonic() < until:
            next(asking)
            hall.flush()
        controller.kill()
        controller.wait(10)
        controller = hall.start()
    all_decided(hall)
    told = hall.agree()
    assert set(hall.sent) <= {one.command for one in told}
