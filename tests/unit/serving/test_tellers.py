"""What the doors say was taken was taken: names that are none, Emitters that are full, versions that come and go."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from driftline.agents.emit import Emitter
from driftline.agents.serving import tellers
from driftline.agents.serving.cloudevents import MAX_ROW_BYTES, REQUEST, RESPONSE
from driftline.agents.serving.doors import Doors
from driftline.agents.serving.errors import AnswerError, ServingError
from driftline.agents.serving.metrics import ServingMetrics
from driftline.agents.serving.tellers import MAX_EMITTERS, Tellers
from driftline.agents.serving.tokens import Tokens
from driftline.schemas.names import MAX_COLUMNS

TOKEN = "a token of churn alone"  # noqa: S105 - of this test
ROWS = 40
"""That the Emitters of these tests hold; Kafka takes none."""


@pytest.fixture
def emitters() -> Iterator[list[Emitter]]:
    """Emitters that were made, closed afterwards."""
    made: list[Emitter] = []
    yield made
    for one in made:
        one.close(0.0)


@pytest.fixture
def doors(emitters: list[Emitter]) -> Doors:
    """Doors with real Emitters, that hold few rows."""

    def make(deployment: str, version: str, slot: str) -> Emitter:
        kafka = {"log_level": 0}
        made = Emitter(
            deployment, version, slot=slot, bootstrap="127.0.0.1:1", buffer_events=ROWS, kafka=kafka
        )
        emitters.append(made)
        return made

    metrics = ServingMetrics(CollectorRegistry())
    return Doors(Tokens({"churn": TOKEN}), make, metrics, future_ms=1_000, now_ms=lambda: 1_800_000_000_000)


def sends(doors: Doors, door: str, *lines: Any) -> dict[str, Any]:
    """Send lines through a door."""
    scope = {"headers": [(b"authorization", b"Bearer " + TOKEN.encode())]}
    body = b"\n".join(json.dumps(one).encode() for one in lines)
    told: dict[str, Any] = json.loads(asyncio.run(getattr(doors, door)(scope, body))[1])
    return told


def event(doors: Doors, kind: str, body: Any, query: str = "") -> dict[str, Any]:
    """Send a CloudEvent."""
    headers = [(b"ce-type", kind.encode()), (b"ce-id", b"a")]
    scope = {"headers": headers, "query_string": f"token={TOKEN}{query}".replace(" ", "+").encode()}
    told: dict[str, Any] = json.loads(asyncio.run(doors.cloud(scope, json.dumps(body).encode()))[1])
    return told


@pytest.mark.parametrize("field", ["features", "segments", "score"])
def test_a_line_whose_names_are_none_is_refused_by_itself(
    doors: Doors, emitters: list[Emitter], field: str
) -> None:
    """The Emitter would drop it without a word to whoever sent it."""
    good = {"version": "7", "features": {"age": 3.0}}
    told = sends(doors, "events", good, {**good, field: {" age": 1.0}}, good)
    assert (told["taken"], told["refused"], told["errors"][0]["line"]) == (2, 1, 2)
    assert "space at an end" in told["errors"][0]["error"]
    assert emitters[0].stats().dropped == {}


def test_what_finds_no_room_is_not_called_taken(doors: Doors, emitters: list[Emitter]) -> None:
    """Some lines of a body, then none: 503 and when to come again; labels and CloudEvents alike."""
    line = {"version": "7", "features": {"age": 3.0}}
    told = sends(doors, "events", *[line] * (ROWS + 5))
    assert (told["taken"], told["refused"]) == (ROWS, 5)
    assert "5 rows found no room, and are lost" in told["errors"][0]["error"]
    assert emitters[0].stats().dropped == {"buffer_full": 5}
    label = {"id": "a", "value": "yes"}
    assert sends(doors, "labels", *[label] * (ROWS + 1))["refused"] == 1
    event(doors, REQUEST, {"instances": [[1.0]]})
    for again in (
        lambda: sends(doors, "events", line),
        lambda: sends(doors, "labels", label),
        lambda: event(doors, RESPONSE, {"predictions": [0.5], "model_version": "7"}),
    ):
        with pytest.raises(AnswerError, match="1 rows find no room") as refused:
            again()
        assert (refused.value.status, refused.value.retry_after_s) == (503, 5)


def test_a_row_of_as_many_bytes_as_are_allowed_fits_a_message(doors: Doors, emitters: list[Emitter]) -> None:
    """Whatever gaps and numbers it has that a message writes longer than JSON; what is longer is refused."""
    many = {f"{place:x}": 1 for place in range(MAX_COLUMNS)}
    twice = 2 * len("".join(many))
    line = {"version": "7", "features": many, "score": many, "segments": many, "predicted": ""}
    line["predicted"] = "x" * (MAX_ROW_BYTES - len(json.dumps(line)) - twice)
    assert sends(doors, "events", line)["taken"] == 1
    gaps = {f"{place:095d}": None for place in range(MAX_COLUMNS)}
    assert sends(doors, "events", {"version": "7", "features": gaps})["taken"] == 1
    longer = {"version": "7", "features": {f"{place:0150d}": None for place in range(MAX_COLUMNS)}}
    assert "and names of 614,400 stand twice" in sends(doors, "events", longer)["errors"][0]["error"]
    asked = [{"name": name, "datatype": "FP64", "data": [1, 1]} for name in many]
    scores = [{**one, "name": f"p{one['name']}"} for one in asked[1:]]
    texts = {"name": "class", "data": ["a", ""]}
    names = 2 * sum(len(one["name"]) for one in (*asked, *scores))
    for size in (MAX_ROW_BYTES, MAX_ROW_BYTES + 1):
        event(doors, REQUEST, {"inputs": asked})
        texts["data"] = ["a", "x" * (size - names)]
        told = {"outputs": [*scores, texts], "model_version": "7"}
        if size == MAX_ROW_BYTES:
            assert event(doors, RESPONSE, told) == {"taken": 2}
            continue
        with pytest.raises(AnswerError, match="row 1 of the event has 900,001 bytes"):
            event(doors, RESPONSE, told)
    for one in emitters:
        one.close(0.0)
    assert [one.stats().dropped for one in emitters] == [{"undelivered": 4}]


def test_a_cloud_event_whose_names_or_address_are_none_is_refused(doors: Doors) -> None:
    """A column that is no name, and an address of more fields than are looked at: 400, and no fault of the agent."""
    event(doors, REQUEST, {"inputs": [{"name": " x", "data": [1.0]}]})
    with pytest.raises(AnswerError, match="space at an end"):
        event(doors, RESPONSE, {"outputs": [{"name": "p", "data": [0.5]}]})
    with pytest.raises(AnswerError, match="more than 20 fields") as refused:
        event(doors, REQUEST, {}, "&a=1" * 40)
    assert refused.value.status == 400


def test_a_deployment_keeps_none_of_another_out_and_old_versions_go(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many versions as may be told of are those of one deployment; the one that was idle longest makes room."""
    closed = threading.Event()
    made: list[str] = []

    def make(*key: str) -> Any:
        made.append(key[1])
        return SimpleNamespace(
            stats=lambda: SimpleNamespace(dropped={}), close=lambda _s: key[1] == "0" and closed.set()
        )

    held = Tellers(make)
    for number in range(MAX_EMITTERS):
        held.of("churn", str(number), "champion")
    with pytest.raises(AnswerError, match="are told of here already"):
        held.of("churn", "next", "champion")
    held.of("fraud", "1", "champion")
    monkeypatch.setattr(tellers, "IDLE_S", 0.0)
    with pytest.raises(AnswerError, match="are told of here already"):
        held.of("churn", "next", "champion")  # this body has told all of them
    held.begin()
    held.of("churn", "next", "champion")
    assert closed.wait(10)
    held.of("churn", "1", "champion")
    assert made[-2:] == ["1", "next"]


def test_what_can_be_told_by_nobody_now_may_be_sent_again(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A spool that cannot be made is no fault of whoever sends: 503, once asked for in a body; what was taken stays."""
    make, refused = doors._tellers._make, list[str]()

    def made(deployment: str, version: str, slot: str) -> Emitter:
        if version == "8":
            refused.append(version)
            raise ServingError("predictions of churn 8 cannot be told: no space left")
        return make(deployment, version, slot)

    monkeypatch.setattr(doors._tellers, "_make", made)
    good, bad = ({"version": version, "features": {"age": 3.0}} for version in "78")
    told = sends(doors, "events", good, bad, bad)
    assert (told["taken"], told["refused"], [one["line"] for one in told["errors"]]) == (1, 2, [2, 3])
    assert len(refused) == 1
    event(doors, REQUEST, {"instances": [[1.0]]})
    answered = {"predictions": [0.5], "model_version": "8"}
    for again in (lambda: sends(doors, "events", bad), lambda: event(doors, RESPONSE, answered)):
        with pytest.raises(AnswerError, match="cannot be told: no space left: send it again later") as caught:
            again()
        assert (caught.value.status, caught.value.retry_after_s) == (503, 5)
    monkeypatch.setattr(doors._tellers, "_make", make)
    assert event(doors, RESPONSE, answered) == {"taken": 1}
    assert event(doors, RESPONSE, answered) == {"taken": 0}


def test_predictions_of_many_versions_keep_no_label_out(doors: Doors) -> None:
    """Labels have a place of their own beside as many versions as may be told of."""
    for number in range(MAX_EMITTERS):
        assert sends(doors, "events", {"version": str(number), "features": {"age": 3.0}})["taken"] == 1
    assert sends(doors, "labels", {"id": "a", "value": "yes"})["taken"] == 1


def test_a_pair_of_which_some_rows_were_taken_is_not_told_again(
    doors: Doors, emitters: list[Emitter]
) -> None:
    """What was taken is, and how many were not is said; sent again, the response finds no other half."""
    rows = ROWS + 3
    event(doors, REQUEST, {"instances": [[1.0]] * rows})
    answered = {"predictions": [0.5] * rows, "model_version": "7"}
    told = event(doors, RESPONSE, answered)
    taken = sum(one.stats().enqueued - sum(one.stats().dropped.values()) for one in emitters)
    assert (told["taken"], told["refused"]) == (taken, rows - taken)
    assert 0 < taken < rows
    assert "are lost: send fewer at a time" in told["errors"][0]["error"]
    assert event(doors, RESPONSE, answered) == {"taken": 0}
