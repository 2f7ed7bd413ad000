"""Signed notes and checkpoints: the forms of C2SP, byte by byte."""

from __future__ import annotations

import pytest
from signed import key

from driftline.agents.audit.checkpoint import Checkpoint, cosigned, seen
from driftline.agents.audit.errors import NoteError
from driftline.agents.audit.notes import PLAIN, TIMED, Note, NoteKey, sign
from driftline.agents.audit.tree import leaf_hash

# The example of https://c2sp.org/signed-note (CC BY 4.0).
VKEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
NOTE = (
    "This is an example message.\n\n— example.com/foo "
    "Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
)
HEAD = Checkpoint("driftline.example/test", 7, leaf_hash(b"x"))
LOG = NoteKey(HEAD.origin, PLAIN, key("log").public)
WITNESS = NoteKey("witness.example/1", TIMED, key("witness").public)


def test_the_example_of_the_standard_holds() -> None:
    """The note of c2sp.org/signed-note is signed by its key, and comes back as the same bytes."""
    note, vkey = Note.parse(NOTE.encode()), NoteKey.parse(VKEY)
    assert note.signed_by(vkey) == note.signatures[0]
    assert note.to_bytes() == NOTE.encode()
    assert vkey.text == VKEY


@pytest.mark.parametrize("place", range(0, len(VKEY), 3))
def test_a_key_with_another_character_is_refused(place: int) -> None:
    """A vkey whose name, id or key was changed no longer agrees with itself."""
    other = chr(ord(VKEY[place]) ^ 1)
    with pytest.raises(NoteError):
        NoteKey.parse(VKEY[:place] + other + VKEY[place + 1 :])


@pytest.mark.parametrize(
    "data",
    [
        b"", b"\n", b"text\n", b"text\n\n", NOTE.encode()[:-1], NOTE.encode() + b"more\n", b"\xff" + NOTE.encode(),
        b"\x01" + NOTE.encode(), NOTE.replace("—", "-").encode(), NOTE.replace("com/foo", "com/f oo").encode(),
        NOTE.replace("aQM=", "aQM").encode(), NOTE.replace("aQM=", "aQN=").encode(), b"x" * 20_000,
        (NOTE + NOTE.rpartition("\n\n")[2] * 40).encode(),
    ],
)  # fmt: skip
def test_what_is_no_note_is_refused(data: bytes) -> None:
    """Bytes of another form are refused with a sentence."""
    with pytest.raises(NoteError):
        Note.parse(data)


@pytest.mark.parametrize(
    "text",
    [
        "origin\n7\n", "\n7\nAAAA\n", "origin\n07\n" + "A" * 43 + "=\n", "origin\n-7\n" + "A" * 43 + "=\n",
        "origin\n7\n" + "A" * 42 + "B=\n", "origin\n7\n" + "A" * 40 + "\n", "origin\n7\n" + "A" * 43 + "=\nmore\n",
        "origin\n9999999999999999999\n" + "A" * 43 + "=\n", "origin\n७\n" + "A" * 43 + "=\n",
    ],
)  # fmt: skip
def test_what_is_no_checkpoint_is_refused(text: str) -> None:
    """A note whose text is not an origin, a size and a root is refused."""
    with pytest.raises(NoteError):
        Checkpoint.of(Note(text, ()))


def test_a_checkpoint_is_believed_as_far_as_it_is_signed() -> None:
    """The log's signature makes it one, each known witness's counts with its time, and others count nothing."""
    note = HEAD.signed(HEAD.origin, key("log"))
    both = Note.parse(cosigned(note, WITNESS.name, key("witness"), 1_800_000_000).to_bytes())
    assert both.text == f"driftline.example/test\n7\n{HEAD.text.splitlines()[2]}\n"
    alone, whole = seen(note, [LOG], [WITNESS]), seen(both, [LOG], [WITNESS])
    assert alone is not None
    assert whole is not None
    assert alone.checkpoint == whole.checkpoint == HEAD
    assert (alone.witnesses, whole.witnesses) == ((), ((WITNESS.name, 1_800_000_000),))
    assert seen(both, [NoteKey(HEAD.origin, PLAIN, key("thief").public)], [WITNESS]) is None
    stranger = seen(both, [LOG], [NoteKey(WITNESS.name, TIMED, key("thief").public)])
    assert stranger is not None
    assert stranger.witnesses == ()


def test_a_signature_of_the_log_is_none_of_a_witness() -> None:
    """The same key under the same name signs as log and as witness in two ways that are not taken for one another."""
    name = "one.example"
    as_log, as_witness = (NoteKey(name, kind, key("both").public) for kind in (PLAIN, TIMED))
    note = cosigned(HEAD.signed(name, key("both")), name, key("both"), 5)
    assert note.signed_by(as_log) == note.signatures[0]
    assert note.signed_by(as_witness) == note.signatures[1]
    false = sign(note.text, name, key("both").public, key("thief"))
    assert Note(note.text, (false, *note.signatures)).signed_by(as_log) == note.signatures[0]


def test_a_time_is_signed() -> None:
    """A witness's signature with another time does not hold."""
    note = cosigned(HEAD.signed(HEAD.origin, key("log")), WITNESS.name, key("witness"), 5)
    last = note.signatures[-1]
    later = type(last)(last.name, last.short_id, (6).to_bytes(8, "big") + last.data[8:])
    assert Note(note.text, (later,)).signed_by(WITNESS) is None
