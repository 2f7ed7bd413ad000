"""Routing holds for any rollout, caller and weight: steady while a weight grows, alike on every replica, fair."""

from __future__ import annotations

import subprocess
import sys

from hypothesis import given
from hypothesis import strategies as st

from driftline.agents.serving.routing import goes_to_canary

TEXTS = st.text(max_size=60)


@given(TEXTS, TEXTS, st.integers(0, 10_000), st.integers(0, 10_000))
def test_a_growing_weight_moves_callers_one_way(rollout: str, key: str, one: int, two: int) -> None:
    """Whoever goes to the canary at a weight goes there at every greater one; nobody at 0, everybody at 10,000."""
    low, high = sorted((one, two))
    assert goes_to_canary(rollout, key, low) <= goes_to_canary(rollout, key, high)
    assert not goes_to_canary(rollout, key, 0)
    assert goes_to_canary(rollout, key, 10_000)


def test_replicas_agree() -> None:
    """Another process, with another seed of hashes, sends the same callers to the canary."""
    keys = [f"caller {n}" for n in range(300)]
    script = (
        "from driftline.agents.serving.routing import goes_to_canary as go\n"
        "print([int(go('r', f'caller {n}', 3000)) for n in range(300)])"
    )
    env = {"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": "7"}
    told = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, env=env
    ).stdout
    assert told.strip() == str([int(goes_to_canary("r", key, 3_000)) for key in keys])


def test_a_weight_is_the_share_of_callers() -> None:
    """Of 20,000 callers, 5 % go to a canary of weight 500, give or take a little; another rollout draws others."""
    keys = [f"caller {n}" for n in range(20_000)]
    first = {key for key in keys if goes_to_canary("first", key, 500)}
    second = {key for key in keys if goes_to_canary("second", key, 500)}
    assert 850 < len(first) < 1_150
    assert len(first & second) < 120
