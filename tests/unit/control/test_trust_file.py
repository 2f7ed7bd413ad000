"""Trust files and the history of trust: names that stay, files that cannot be used, what held when."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from signed import INSTALLATION, key, policy, text, trust

from driftline.agents.control.errors import TrustError
from driftline.agents.control.history import History
from driftline.agents.control.keys import public_of
from driftline.agents.control.signing import key_id
from driftline.agents.control.trust import all_keys, first_state
from driftline.agents.control.trust_file import parse_trust, read_trust_file, template, written
from driftline.schemas.control.trust import Revocation

FILE = f"""
installation = "{INSTALLATION}"
origin = "driftline.example/test"
controllers = ["{text("controller")}"]
checkpoints = ["{text("checkpoint")}"]

[root]
threshold = 1
keys = ["{text("root")}"]

[[persons]]
id = "ann"
name = "Ann Lovelace"
roles = ["engineer"]
keys = ["{text("ann")}"]
"""


def test_names_stay_in_the_file(tmp_path: Path) -> None:
    """The trust that is signed holds the person's id and not the name."""
    (tmp_path / "trust.toml").write_text(FILE, encoding="utf-8")
    found = read_trust_file(tmp_path / "trust.toml")
    assert found.names == {"ann": "Ann Lovelace"}
    assert "Lovelace" not in first_state(found.trust, "").to_bytes().decode()
    assert found.trust.persons[0].id == "ann"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("threshold = 1", "threshold = 2", "asks for 2 of 1 keys"),
        ("threshold = 1", "threshold = 0", "threshold"),
        ("[root]", "[rot]", "rot"),
        ('roles = ["engineer"]', "roles = []", "roles"),
        (text("ann"), text("root"), "named twice"),
        (
            text("ann"),
            "short",
            "Expected a public key, 44 characters as 'driftline keys new' prints them - at .*keys",
        ),
        ("Ann Lovelace", r"Ann\u0007", "name"),
        ('id = "ann"', "id = 3", "id"),
        ("[[persons]]", "[persons]", "persons"),
        ("[[persons]]", "[[persons", "is no TOML"),
        ("installation = ", "surprise = 1\ninstallation = ", "surprise"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(old: str, new: str, said: str) -> None:
    """Each fault names the file and the key."""
    with pytest.raises(TrustError, match=f"trust.toml.*{said}"):
        parse_trust(FILE.replace(old, new, 1).encode(), "trust.toml")


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    """A missing file, no text and a far too long one are refused."""
    with pytest.raises(TrustError, match="cannot be read"):
        read_trust_file(tmp_path / "none.toml")
    with pytest.raises(TrustError, match="no TOML"):
        parse_trust(b"\xff", "trust.toml")
    (tmp_path / "long.toml").write_bytes(b"#" * (2 << 20))
    with pytest.raises(TrustError, match="more than"):
        read_trust_file(tmp_path / "long.toml")


def test_the_template_lacks_only_keys() -> None:
    """Filled with keys it can be used; as it is, the first key that is lacking is named."""
    with pytest.raises(TrustError, match="length"):
        parse_trust(template(INSTALLATION).encode(), "trust.toml")
    filled = template(INSTALLATION)
    for number in range(4):
        filled = filled.replace("= []\n", f'= ["{text(f"key {number}")}"]\n', 1)
    filled = filled.replace("threshold = 2", "threshold = 1")
    assert parse_trust(filled.encode(), "trust.toml").trust.origin == f"driftline.example/{INSTALLATION}"


def test_history_says_what_held_when() -> None:
    """The first state holds for all time before it, each later one from its record on."""
    first = first_state(trust(), policy().text)
    second = first_state(trust(persons=trust().persons[:3]), policy().text)
    history = (
        History.of(first, policy().text, 100).then(200, second, policy().text).then(150, first, policy().text)
    )
    held = [rule.ring.state.digest for rule in history.rules]
    assert held == [first.digest, second.digest, first.digest]
    assert [history.at(ms) is history.rules[at] for ms, at in ((0, 0), (199, 0), (200, 2), (999, 2))] == [
        True
    ] * 4
    assert len(history.between(0, 150)) == 1
    assert len(history.between(150, 300)) == 3
    assert history.now is history.rules[-1]


def test_a_history_holds_the_policies_that_trust_names() -> None:
    """A text that is not the one of the digest is an error."""
    with pytest.raises(ValueError, match="the policy that it names"):
        History.of(first_state(trust(), policy().text), "permit (principal, action, resource);")


def test_a_trust_is_written_as_the_file_that_sets_it() -> None:
    """All of it, without names; who has no key left is a comment, and so is a revoked key beside others."""
    state = first_state(trust(), policy().text)
    assert parse_trust(written(state).encode(), "file").trust == state.trust
    for word in ("ann", "bob-2", "serving-1", "witness"):
        gone = Revocation(key=key(word).keyid, revoked_at_ms=1)
        found = written(msgspec.structs.replace(state, revocations=(gone,)))
        left = parse_trust(found.encode(), "file").trust
        assert key(word).keyid not in {key_id(public_of(one)) for one in all_keys(left)}
        assert len(list(all_keys(left))) == len(list(all_keys(state.trust))) - 1
        assert text(word) in found
