"""The profile's record: it travels whole, its digest is of its content, and damage is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from counting import batch, profile_of

from driftline.schemas import codec
from driftline.schemas.packed import pack_counts, unpack_counts
from driftline.schemas.profile import Profile
from driftline.schemas.refusal import Refused

DAY_MS = 86_400_000


def whole_profile(seed: int = 0) -> Profile:
    """Build a profile with every role, over 30 days."""
    rng = np.random.default_rng(seed)
    rows = 3000
    return profile_of(
        batch(
            {"x": rng.normal(size=rows), "amount": rng.lognormal(size=rows)},
            {"c": rng.choice(["a", "b", "c"], rows).tolist()},
            scores={"p": rng.beta(1, 9, rows)},
            predicted=rng.choice(["no", "yes"], rows).tolist(),
            segments={"region": rng.choice(["eu", "us"], rows).tolist()},
            times_ms=np.sort(rng.integers(0, 30 * DAY_MS, rows)),
        ),
        resolutions=("1h", "1d"),
        provenance="held-out",
        minimum_rows=5,
    )


def test_a_profile_travels_whole() -> None:
    """Bytes read back give the same bytes and the same digest."""
    profile = whole_profile()
    again = Profile.from_bytes(profile.to_bytes())
    assert again.to_bytes() == profile.to_bytes()
    assert again.digest() == profile.digest()
    assert again.column("x").null_tails.keys() == {"1h", "1d", "7d", "1M"}


def test_the_digest_is_of_the_content_not_of_the_time_it_was_built() -> None:
    """The same rows built at another time have the same digest; other rows, or another version, have not."""
    profile = whole_profile()
    assert replace(profile, created_at_ms=99).digest() == profile.digest()
    assert replace(profile, model_version="2").digest() != profile.digest()
    assert whole_profile(1).digest() != profile.digest()


def test_the_digest_does_not_depend_on_the_order_of_rows() -> None:
    """Rows in another order, and in other batches, make the same profile."""
    rng = np.random.default_rng(5)
    x, c = rng.normal(size=900), rng.choice(["a", "b", "c", "d"], 900)
    order = rng.permutation(900)
    one = profile_of(batch({"x": x}, {"c": c.tolist()}), has_times=False)
    cut = [batch({"x": x[part]}, {"c": c[part].tolist()}) for part in np.split(order, [100, 350])]
    assert profile_of(*cut, has_times=False).digest() == one.digest()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"provenance": "guessed"}, "impossible_value"),
        ({"day_starts_ms": b"1234567"}, "bad_shape"),
        ({"day_starts_ms": b""}, "bad_shape"),
    ],
)
def test_a_profile_whose_parts_do_not_fit_is_refused(change: dict[str, object], reason: str) -> None:
    """Wrong lengths and unknown words in the record are refused with a reason."""
    _, record = codec.decode(whole_profile().to_bytes())
    with pytest.raises(Refused) as found:
        Profile.from_bytes(codec.encode("Profile", record | change))
    assert found.value.reason == reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": "text"}, "impossible_value"),
        ({"role": "target"}, "impossible_value"),
        ({"dtype": "int8"}, "impossible_value"),
        ({"decile_of_bin": b""}, "bad_shape"),
        ({"decile_of_bin": bytes(2 * 65_536)}, "bad_shape"),
        ({"decile_of_bin": b"\x01\x00"}, "impossible_value"),
        ({"edges": b"\0" * 16}, "bad_shape"),
        ({"counts": b"not zlib"}, "bad_bytes"),
        ({"counts": pack_counts(np.zeros(3, np.int64))}, "bad_shape"),
        ({"mean": float("nan")}, "impossible_value"),
        ({"mean": float("-inf")}, "impossible_value"),
        ({"sd": float("inf")}, "impossible_value"),
        ({"sd": -1.0}, "impossible_value"),
        ({"nulls": -1}, "impossible_value"),
        ({"wrong": -1}, "impossible_value"),
    ],
)
def test_a_column_whose_parts_do_not_fit_is_refused(change: dict[str, object], reason: str) -> None:
    """Wrong lengths, unknown words, bins that do not nest and figures no values have are refused by column."""
    _, record = codec.decode(whole_profile().to_bytes())
    record["columns"][0] |= change
    with pytest.raises(Refused, match="'x'") as found:
        Profile.from_bytes(codec.encode("Profile", record))
    assert found.value.reason == reason


@pytest.mark.parametrize(
    ("field", "number"),
    [("counts", -1), ("days", -1), ("hour_of_week", -1), ("sums_lo", -1), ("sums_lo", 2**32)],
)
def test_numbers_no_count_or_sum_holds_are_refused(field: str, number: int) -> None:
    """A negative count, and a sum that is not in its one canonical form, are refused by column and field."""
    profile = whole_profile()
    _, record = codec.decode(profile.to_bytes())
    numbers = getattr(profile.column("x"), field).copy()
    numbers.flat[-1] = number
    record["columns"][0][field] = pack_counts(numbers)
    with pytest.raises(Refused, match=f"'x': {field}") as found:
        Profile.from_bytes(codec.encode("Profile", record))
    assert found.value.reason == "impossible_value"


def test_a_column_named_twice_is_refused() -> None:
    """A name stands once in a role."""
    _, record = codec.decode(whole_profile().to_bytes())
    record["columns"].append(record["columns"][0])
    with pytest.raises(Refused, match="twice"):
        Profile.from_bytes(codec.encode("Profile", record))


def test_another_record_is_no_profile() -> None:
    """Bytes of another record type are refused."""
    status = {"instance": "i", "epoch": 1, "deployment": "d", "model_version": "1", "host": "h", "pid": 1}
    data = codec.encode("EmitterStatus", status | {"time_ms": 1, "started_ms": 1, "books": []})
    with pytest.raises(Refused, match="EmitterStatus"):
        Profile.from_bytes(data)


def test_packed_counts_never_unpack_into_more_than_their_shape() -> None:
    """A megabyte of zeros in a thousand bytes is refused where two numbers belong."""
    bomb = pack_counts(np.zeros(131_072, np.int64))
    assert len(bomb) < 2000
    with pytest.raises(Refused, match="16 bytes"):
        unpack_counts(bomb, (2,), "counts")


def test_without_history_a_profile_judges_the_same() -> None:
    """Counts by day and hour are gone; edges, counts and the null's tails stay."""
    profile = whole_profile()
    slim = profile.without_history()
    assert len(slim.to_bytes()) < len(profile.to_bytes())
    for one, other in zip(profile.columns, slim.columns, strict=True):
        assert other.days.shape == (0, one.psi_bins)
        assert other.null_tails is one.null_tails
        assert other.counts is one.counts
