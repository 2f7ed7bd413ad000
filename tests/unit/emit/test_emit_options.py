"""Wrong arguments raise one sentence at construction; nothing is started there."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest

from driftline.agents.emit import Emitter, EmitterError
from driftline.schemas.errors import DriftlineError

WRONG: dict[str, dict[str, Any]] = {
    "an option that is none": {"bufer_events": 5},
    "no rows": {"buffer_events": 0},
    "half a row": {"batch_rows": 1.5},
    "bytes as text": {"buffer_bytes": "64M"},
    "a truth for a number": {"linger_s": True},
    "no number": {"stall_s": float("nan")},
    "an age that readers do not remember": {"spool_age_s": 8 * 86_400},
    "a treatment that is none": {"columns": {"a": "hide"}},
    "treatments that are none": {"columns": ["a"]},
    "one name for several": {"float64": "amount"},
    "a name twice": {"features": ("a", "a")},
    "a name that is none": {"categorical": ("",)},
    "an empty key": {"salt": ""},
    "a policy that is none": {"on_full": "drop_oldest"},
    "a policy without a spool": {"on_full": "drop_oldest_spool"},
    "a spool that is no path": {"spool_dir": 5},
    "a compression that is none": {"compression": "gzip"},
    "a slot that is none": {"slot": " x"},
    "a clock that stands": {"clock": 5},
    "librdkafka's options as a list": {"kafka": ["acks"]},
    "an option that readers count on": {"kafka": {"acks": "1"}},
    "an address that is none": {"bootstrap": ""},
    "an option that librdkafka has not": {"kafka": {"nope": 1}},
    "a value that librdkafka refuses": {"kafka": {"linger.ms": "soon"}},
    "an option that is no scalar": {"kafka": {"client.rack": ["a"]}},
    "an option without a name": {"kafka": {1: 1}},
    "the address at another place": {"kafka": {"bootstrap.servers": "127.0.0.1:9"}},
    "another name of an option that readers count on": {"kafka": {"request.required.acks": 1}},
    "an address without a port": {"bootstrap": "nonsense"},
    "one address of two without a port": {"bootstrap": "127.0.0.1:9,nonsense"},
    "an address without a host": {"bootstrap": ":9092"},
    "a port that is none": {"bootstrap": "127.0.0.1:99999"},
    "a spool without a name": {"spool_dir": ""},
    "a spool that no path can name": {"spool_dir": "\x00"},
    "a run of no instance": {"epoch": 5},
    "a run without a number": {"epoch": 0},
    "settings that are none": {"settings": {"kafka": {}}},
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_argument_raises_one_sentence(what: str) -> None:
    """It is an EmitterError of one line that names the argument."""
    with pytest.raises(EmitterError) as caught:
        Emitter("d", "1", **WRONG[what])
    sentence = str(caught.value)
    assert "\n" not in sentence
    assert isinstance(caught.value, DriftlineError)
    (name,) = WRONG[what]
    assert name in sentence


@pytest.mark.parametrize(
    ("deployment", "version"), [("", "1"), ("a/b", "1"), ("d", ""), ("d", 3), (None, "1")]
)
def test_a_wrong_name_raises(deployment: Any, version: Any) -> None:
    """Deployment and version are names; a deployment has no slash, which separates it from the version in keys."""
    with pytest.raises(EmitterError):
        Emitter(deployment, version)


def test_a_spool_that_cannot_be_made_raises(tmp_path: Path) -> None:
    """A file where the spool's folder should be is said at once, not when the broker is away."""
    (tmp_path / "file").write_text("")
    with pytest.raises(EmitterError, match="spool_dir"):
        Emitter("d", "1", spool_dir=tmp_path / "file" / "spool")


def test_a_column_is_not_both_a_number_and_a_category() -> None:
    """The same name in float64 and in categorical is refused: one of the two would be ignored."""
    with pytest.raises(EmitterError, match="float64 and categorical both name 'a'"):
        Emitter("d", "1", float64=("a", "b"), categorical=("a",))


@pytest.mark.parametrize("bootstrap", ["k:9092", "a:1, b:2", "[::1]:9092", "PLAINTEXT://k:9092"])
def test_addresses_with_ports_are_taken(bootstrap: str) -> None:
    """Whatever librdkafka takes for an address with a port will do, and so will its options by their names."""
    with Emitter(
        "d", "1", bootstrap=bootstrap, kafka={"client.rack": "a", "socket.keepalive.enable": "true"}
    ):
        pass


def test_options_of_librdkafka_start_nothing() -> None:
    """Looking at librdkafka's options starts none of its threads."""
    before = len(list(Path("/proc/self/task").iterdir()))
    with Emitter("d", "1", kafka={"linger.ms": 5, "client.rack": "a"}):
        assert len(list(Path("/proc/self/task").iterdir())) <= before


def test_construction_starts_nothing(tmp_path: Path) -> None:
    """No thread, no producer, no file before the first event, and closing such an emitter leaves nothing behind."""
    before = threading.active_count()
    with Emitter("d", "1", spool_dir=tmp_path / "spool") as emitter:
        assert threading.active_count() == before
        assert emitter.flush(0.1)
        assert emitter.stats().ledger() == {
            "enqueued": 0,
            "delivered": 0,
            "dropped": {},
            "spooled": 0,
            "in_flight": 0,
        }
    assert list((tmp_path / "spool").iterdir()) == []


def test_after_close_events_are_counted_as_closed() -> None:
    """What comes after close() is refused and counted, whatever the way in; closing again does nothing."""
    emitter = Emitter("d", "1", bootstrap="127.0.0.1:9")
    emitter.close()
    emitter.log({"a": 1.0})
    emitter.log_many({"a": [1.0, 2.0]}, wait_s=5.0)
    emitter.label("x", 1.0)
    emitter.close()
    assert emitter.stats().dropped == {"closed": 4}
    assert emitter.stats().total.balance == 0


def test_close_without_spool_says_what_was_not_delivered() -> None:
    """What memory holds when close() runs out of time, without a spool, is dropped as undelivered."""
    emitter = Emitter("d", "1", bootstrap="127.0.0.1:9")
    for at in range(700):
        emitter.log({"a": float(at)})
    emitter.close(0.2)
    assert emitter.stats().ledger() == {
        "enqueued": 700,
        "delivered": 0,
        "dropped": {"undelivered": 700},
        "spooled": 0,
        "in_flight": 0,
    }


def test_a_run_that_is_tried_again_has_no_spool(tmp_path: Path) -> None:
    """What a spool sends later is sent by a life of its own; one sentence says so."""
    with pytest.raises(EmitterError, match="give instance as well, and no spool_dir"):
        Emitter("d", "1", instance="job.0", epoch=5, spool_dir=tmp_path)


def test_the_number_of_a_run_is_its_life_but_in_a_forked_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the epoch of whoever was given it; another process that came by the object has one of its own."""
    emitter = Emitter("d", "1", bootstrap="127.0.0.1:9", instance="job.0", epoch=5)
    assert (emitter.stats().instance, emitter.stats().epoch) == ("job.0", 5)
    monkeypatch.setattr("os.getpid", lambda: 1)
    emitter.begin_anew()
    assert emitter.stats().epoch > 5
