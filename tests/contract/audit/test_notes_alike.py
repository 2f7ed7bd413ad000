"""Both verifiers read the same notes as checkpoints, and neither verifies without a memory that it was given."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path

import pytest
from audit_logs import NOON_MS, WITNESS, Book
from signed import key
from two_verifiers import both

from driftline.agents.audit.checkpoint import Checkpoint
from driftline.agents.audit.errors import NoteError
from driftline.agents.audit.export import CHECKPOINTS, export
from driftline.agents.audit.notes import Note, cosign, sign
from driftline.agents.audit.verify import Verifier

pytestmark = pytest.mark.needs("go", "golang-go")
ORIGIN = "driftline.example/test"
LINE = "— else.example AAAAAAA=\n"
SPACES = "\x85\xa0\u1680\u2007\u2028\u2029\u3000"


def noted(text: str, at_s: int = NOON_MS // 1_000) -> str:
    """A text that the log and its witness signed."""
    log, witness = key("checkpoint-2"), key("witness")
    lines = (sign(text, ORIGIN, log.public, log), cosign(text, WITNESS, witness.public, witness, at_s))
    return Note(text, lines).to_bytes().decode()


def told(folder: Path, notes: list[str], *, ascii_only: bool = True) -> Path:
    """Put these notes where those of an export lie."""
    lines = (json.dumps(note, ensure_ascii=ascii_only) for note in notes)
    (folder / CHECKPOINTS).write_bytes(
        "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogatepass")
    )
    return folder


BELOW: dict[str, tuple[str, bool]] = {
    "others": (LINE * 30, True),
    "too many": (LINE * 31, False),
    "more bytes": ("— else.example " + "AAAA" * 1_000 + "\n", True),
    "too many bytes": ("— else.example " + "AAAA" * 4_096 + "\n", False),
    "a long name": ("— " + "e" * 300 + " AAAAAAA=\n", True),
    "a name of other letters": ("— \u00fc\U0001f600\u200b\ufffd AAAAAAA=\n", True),
    "two bytes at the end": ("— else.example AAAAAAAAAAA=\n", True),
    "one byte at the end": ("— else.example AAAAAAAAAQ==\n", True),
    "junk": ("junk\n", False),
    "no signature": ("— else.example\n", False),
    "no name": ("—  AAAAAAA=\n", False),
    "another dash": ("- else.example AAAAAAA=\n", False),
    "an id alone": ("— else.example AAAAAA==\n", False),
    "loose bits": ("— else.example AAAAAAB=\n", False),
    "more loose bits": ("— else.example AAAAAAAAAB==\n", False),
    "no padding": ("— else.example AAAAAAA\n", False),
    "a plus": ("— else+example AAAAAAA=\n", False),
    "no last newline": (LINE[:-1], False),
    "a carriage return": (LINE[:-1] + "\r\n", False),
    "an empty line": ("\n" + LINE, False),
    "half a pair": ("— \ud800 AAAAAAA=\n", False),
} | {f"a space {ord(one):x}": (f"— else{one}example AAAAAAA=\n", False) for one in SPACES}


@pytest.mark.parametrize(("below", "is_good"), BELOW.values(), ids=BELOW)
@pytest.mark.parametrize("ascii_only", [True, False])
def test_both_read_what_stands_below_alike(
    program: Path,
    book: Book,
    tmp_path: Path,
    below: str,
    is_good: bool,  # noqa: FBT001 - a case
    ascii_only: bool,  # noqa: FBT001 - a case
) -> None:
    """Signatures of others count nothing; another line, or too many, make a note none, whoever else signed it."""
    export(tmp_path / "log", book.records, [])
    told(tmp_path / "log", [note.decode() + below for note in book.notes], ascii_only=ascii_only)
    report, said = both(program, tmp_path / "log", book.pins.genesis)
    assert (report.fault, report.is_anchored, said.returncode == 0) == (None, is_good, is_good)


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n0\n",
        f"{ORIGIN}\n029\n",
        f"{ORIGIN}\n{10**18}\n",
        f"{ORIGIN}\x01\n30\n",
        "\n30\n",
        f"{ORIGIN}\n30\nmore\n",
    ],
)
def test_both_pass_over_what_the_log_cannot_have_said(
    program: Path, book: Book, tmp_path: Path, text: str
) -> None:
    """A text of another form is no checkpoint though the log signed it; one of more records is, and both believe it."""
    root = base64.b64encode(bytes(32)).decode()
    notes = [note.decode() for note in book.notes]
    export(tmp_path / "log", book.records, [])
    report, said = both(
        program, told(tmp_path / "log", [*notes, noted(f"{text}{root}\n")]), book.pins.genesis
    )
    assert (report.fault, said.stdout) == (None, "ok\n")
    true = noted(f"{ORIGIN}\n{10**18 - 1}\n{root}\n")
    report, said = both(program, told(tmp_path / "log", [*notes, true]), book.pins.genesis)
    assert report.fault is not None
    assert said.stdout.startswith("record 29 is missing")


PADS: dict[str, tuple[bytes, bool]] = {
    "as long as a line may be": (b" " * 98_304, True),
    "longer": (b" " * 98_305, False),
    "longer than a record": (b" " * 1_000_001, False),
    "much longer": (b" " * 3_000_000, False),
}


@pytest.mark.parametrize(("pad", "is_good"), PADS.values(), ids=PADS)
@pytest.mark.parametrize("is_before", [True, False])
def test_both_pass_over_a_line_that_no_note_has(
    program: Path,
    book: Book,
    tmp_path: Path,
    pad: bytes,
    is_good: bool,  # noqa: FBT001 - a case
    is_before: bool,  # noqa: FBT001 - a case
) -> None:
    """What is too long is none, wherever in it a note stands; the lines after it are read."""
    export(tmp_path / "log", book.records, [])
    last = json.dumps(book.notes[-1].decode()).encode()
    line = pad[: -len(last)] + last if is_before else (last + pad)[: len(pad)]
    (tmp_path / "log" / CHECKPOINTS).write_bytes(line + b"\n")
    report, said = both(program, tmp_path / "log", book.pins.genesis)
    assert (report.fault, report.is_anchored, said.returncode == 0) == (None, is_good, is_good)
    (tmp_path / "log" / CHECKPOINTS).write_bytes(line + b"\n" + last + b"\n")
    report, said = both(program, tmp_path / "log", book.pins.genesis)
    assert (report.fault, report.is_anchored, said.stdout) == (None, True, "ok\n")


def test_both_name_the_record_whose_line_is_too_long(program: Path, book: Book, tmp_path: Path) -> None:
    """It is a fault of that record."""
    export(tmp_path / "log", [*book.records[:5], b" " * 3_000_000, *book.records[5:]], book.notes)
    report, said = both(program, tmp_path / "log", book.pins.genesis)
    assert report.fault is not None
    assert (report.fault.seq, said.returncode) == (5, 1)
    assert said.stdout.startswith("record 5: it cannot be read")


@pytest.mark.parametrize(("at_s", "is_good"), [((1 << 63) - 1, True), (1 << 63, False)])
def test_both_believe_times_alike(
    program: Path,
    book: Book,
    tmp_path: Path,
    at_s: int,
    is_good: bool,  # noqa: FBT001 - a case
) -> None:
    """A witness's time is at most 2^63−1 s."""
    head = Verifier(book.pins).run(book.records).head
    export(tmp_path / "log", book.records, [noted(head.text, at_s).encode()])
    report, said = both(program, tmp_path / "log", book.pins.genesis)
    assert (report.fault, report.is_anchored, said.returncode == 0) == (None, is_good, is_good)


@pytest.mark.parametrize("memory", ["", "junk", "0:", "29", "29:ab", f"0:{'ab' * 32}", f"29:{'ab' * 33}"])
def test_a_memory_that_cannot_be_read_is_refused(
    program: Path, book: Book, tmp_path: Path, memory: str
) -> None:
    """The second verifier says how it is called, and ends with 2: it does not verify without what it was given."""
    export(tmp_path / "log", book.records, book.notes)
    called = [str(program), book.pins.genesis, str(tmp_path / "log"), memory]
    said = subprocess.run(called, capture_output=True, text=True, check=False)
    assert (said.returncode, said.stdout) == (2, "")
    assert said.stderr.startswith("usage: verifier GENESIS FOLDER [SIZE:ROOTHEX], which ")
    assert said.stderr.endswith(f'{memory}"] is not\n')


def test_a_memory_of_nothing_is_none() -> None:
    """A checkpoint says that there is a record at least."""
    with pytest.raises(NoteError, match="no checkpoint"):
        Checkpoint.of(Note(f"{ORIGIN}\n0\n{base64.b64encode(bytes(32)).decode()}\n", ()))
