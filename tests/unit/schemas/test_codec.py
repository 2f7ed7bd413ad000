"""Single-object encoding: markers, fingerprints, versions, bounds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from driftline.schemas import codec
from driftline.schemas.refusal import REASONS, Refused

LABEL: dict[str, Any] = {"deployment": "d", "id": "x", "known_at_ms": 5, "value": 1.0}


def refused(data: bytes) -> str:
    """Return the reason for which bytes are refused."""
    with pytest.raises(Refused) as found:
        codec.decode(data)
    return found.value.reason


def test_a_message_is_marker_fingerprint_and_body() -> None:
    """The first ten bytes are C3 01 and the fingerprint of the newest schema."""
    data = codec.encode("Label", LABEL)
    assert data[:2] == b"\xc3\x01"
    assert data[2:10] == codec.fingerprint("Label")
    assert codec.decode(data) == ("Label", LABEL | {"withdrawn": False})


def test_every_record_type_of_the_contract_is_there() -> None:
    """Each record that the contract names has a schema."""
    named = "Prediction PredictionBatch Label LabelBatch EmitterStatus DeadLetter Profile WindowResult"
    assert set(named.split()) <= set(codec.catalog().newest)


@pytest.mark.parametrize("cut", range(10))
def test_a_message_that_ends_in_its_header_is_refused(cut: int) -> None:
    """Fewer than ten bytes name no schema."""
    assert refused(codec.encode("Label", LABEL)[:cut]) == ("bad_magic" if cut < 2 else "unknown_schema")


def test_bytes_after_the_record_are_refused() -> None:
    """A message ends where its record ends: a second one glued to it would be lost in silence."""
    data = codec.encode("Label", LABEL)
    assert refused(data + b"\x00") == "bad_bytes"
    assert refused(data + data) == "bad_bytes"


def test_an_unknown_fingerprint_is_refused() -> None:
    """Bytes of a schema that this release lacks are refused as such, not guessed at."""
    assert refused(codec.MAGIC + bytes(8) + b"body") == "unknown_schema"


def test_a_large_message_is_refused_before_it_is_decoded() -> None:
    """The bound of a record type holds for what is read and for what is written."""
    head = codec.MAGIC + codec.fingerprint("Label")
    assert refused(head + bytes(1_000_000)) == "too_large"
    with pytest.raises(Refused) as found:
        codec.encode("Label", LABEL | {"value": "x" * 1_000_000})
    assert found.value.reason == "too_large"


@pytest.mark.parametrize(
    "record",
    [{}, LABEL | {"id": 5}, LABEL | {"other": 1}, LABEL | {"known_at_ms": 2**63}, LABEL | {"value": [1]}],
)
def test_a_record_that_does_not_fit_its_schema_is_refused(record: dict[str, Any]) -> None:
    """A missing or unknown field and a value of another type are refused where they are written."""
    with pytest.raises(Refused) as found:
        codec.encode("Label", record)
    assert found.value.reason == "unsupported_type"


def test_an_unknown_record_type_is_named() -> None:
    """The error for a misspelt record type lists the ones there are."""
    with pytest.raises(LookupError, match="'Lable'; there are Advice, Alert"):
        codec.encode("Lable", LABEL)


def event(*fields: dict[str, Any]) -> str:
    """Return a schema of a record Event with one long and more fields."""
    own = {"name": "at", "type": "long"}
    return json.dumps({"type": "record", "name": "Event", "namespace": "x", "fields": [own, *fields]})


def test_every_version_reads_into_the_newest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file in the folder is enough: both versions decode, defaults fill what the older lacked."""
    (tmp_path / "event.v1.avsc").write_text(event())
    monkeypatch.setattr(codec, "catalog", lambda: codec.read_catalog(tmp_path))
    old = codec.encode("Event", {"at": 5})
    (tmp_path / "event.v2.avsc").write_text(event({"name": "who", "type": "string", "default": "nobody"}))
    new = codec.encode("Event", {"at": 6, "who": "me"})
    assert old[2:10] != new[2:10]
    assert codec.decode(old) == ("Event", {"at": 5, "who": "nobody"})
    assert codec.decode(new) == ("Event", {"at": 6, "who": "me"})
    assert codec.schema_of("Event").version == 2


def test_version_ten_is_newer_than_version_nine(tmp_path: Path) -> None:
    """Versions are numbers, not texts."""
    for version in (9, 10):
        field = {"name": f"f{version}", "type": "int", "default": 0}
        (tmp_path / f"event.v{version}.avsc").write_text(event(field))
    assert codec.read_catalog(tmp_path).newest["Event"].version == 10


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"Event.avsc": event()}, "is not named like"),
        ({"event.v0.avsc": event()}, "is not named like"),
        ({"event.v1.avsc": '"string"'}, "is no Avro record"),
        ({"event.v1.avsc": event(), "event.v2.avsc": event()}, "have one fingerprint"),
    ],
)
def test_a_folder_that_cannot_be_a_catalog_is_named(
    tmp_path: Path, files: dict[str, str], words: str
) -> None:
    """A misnamed file, a schema that is no record and a version without a change are the release's errors."""
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=words):
        codec.read_catalog(tmp_path)


def test_reasons_are_a_closed_set() -> None:
    """A reason outside the list cannot be raised, so labels of metrics stay bounded."""
    with pytest.raises(ValueError, match="'odd' is not a reason"):
        Refused("odd", "")
    assert len(set(REASONS)) == len(REASONS) == 10
