"""Routing: which callers go to the canary, alike on every replica and steady while its weight grows."""

from __future__ import annotations

from typing import Final

import xxhash

WHOLE: Final = 10_000
"""The weight of all callers (hundredths of a per cent)."""


def goes_to_canary(rollout_id: str, key: str, weight: int) -> bool:
    """Whether a caller is answered by the canary.

    The place of a caller among 10,000 depends on the rollout and on the caller alone: whoever is below a weight is
    below every greater one, and the next rollout draws anew.

    Args:
        rollout_id: salt of the rollout.
        key: of the caller.
        weight: share of callers, in hundredths of a per cent.

    >>> goes_to_canary("r", "anybody", 0), goes_to_canary("r", "anybody", 10_000)
    (False, True)
    """
    place = xxhash.xxh3_64_intdigest(f"{rollout_id}\0{key}".encode(errors="surrogatepass")) % WHOLE
    return place < weight
