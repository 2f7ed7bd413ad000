"""The doors for applications: a token per deployment, errors by line, and KServe's requests joined with responses."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from uuid import UUID

import pytest
from opened import NOW_MS, TOKEN, Open

from driftline.agents.serving import doors
from driftline.agents.serving.cloudevents import LONGEST_S, MAX_ROW_BYTES, REQUEST, RESPONSE, Pairs
from driftline.agents.serving.doors import MAX_LINES, MAX_PAYLOAD_BYTES
from driftline.agents.serving.errors import AnswerError, ServingError
from driftline.agents.serving.tokens import read_tokens

IDENTITY = "01890000-0000-7000-8000-00000000000a"


def test_events_are_taken_line_by_line() -> None:
    """Good lines are logged with all that they say; bad ones are refused with their number and a reason."""
    opened = Open()
    good = {
        "version": "7",
        "features": {"age": 3, "plan": "a", "x": None},
        "score": 0.5,
        "id": IDENTITY,
        "at": NOW_MS,
    }
    status, told = opened.sends(
        "events",
        good,
        b"",
        b"{",
        {"version": "7"},
        {**good, "deployment": "fraud"},
        {**good, "at": NOW_MS + 5_000},
        {**good, "extra": 1},
        {**good, "features": {}},
        {**good, "version": " no name"},
    )
    assert (status, told["taken"], told["refused"]) == (200, 1, 7)
    assert [one["line"] for one in told["errors"]] == [3, 4, 5, 6, 7, 8, 9]
    assert opened.told.keys == [("churn", "7", "champion")]
    facts = {"at": NOW_MS, "id": UUID(IDENTITY)}
    assert opened.told.logged == [({"age": 3, "plan": "a", "x": None}, 0.5, facts)]
    assert opened.sends("events", b"[]")[0] == 400


def test_labels_are_taken_line_by_line() -> None:
    """A value or a withdrawal, never both or neither."""
    opened = Open()
    status, told = opened.sends(
        "labels",
        {"id": "a", "value": "yes"},
        {"id": 7, "value": 1.5, "known_at": NOW_MS},
        {"id": "b", "withdrawn": True},
        {"id": "c"},
        {"id": "c", "value": True, "withdrawn": True},
        {"id": ""},
    )
    assert (status, told["taken"], told["refused"]) == (200, 3, 3)
    assert [(one, value) for one, value, _ in opened.told.labelled] == [("a", "yes"), (7, 1.5), ("b", None)]


def test_a_token_is_for_one_deployment() -> None:
    """Without one, or with one that nobody has, nothing is looked at; lines are bounded."""
    opened = Open()
    for token in ("", "other", TOKEN + "x"):
        with pytest.raises(AnswerError, match="no deployment has this token"):
            opened.sends("events", {"version": "1", "features": {"a": 1}}, token=token)
    with pytest.raises(AnswerError, match="lines"):
        opened.sends("events", b"\n" * MAX_LINES)
    assert TOKEN not in repr(opened.doors._tokens)


def test_tokens_are_read_from_a_private_file(tmp_path: Path) -> None:
    """Each fault is one sentence, and no sentence shows a token."""
    path = tmp_path / "tokens.toml"
    secret = "0123456789abcdef"  # noqa: S105 - of this test
    for text, mode, said in (
        (f'[tokens]\nchurn = "{secret}"', 0o644, "chmod 600"),
        ("[tokens", 0o600, "no TOML"),
        ("a = " + "1" * 5_000, 0o600, "no TOML"),
        ("", 0o600, "no table"),
        ('[tokens]\nchurn = "short"', 0o600, "shorter than 16"),
        (f'[tokens]\n"a/b" = "{secret}"', 0o600, "separates"),
        (f'[tokens]\na = "{secret}"\nb = "{secret}"', 0o600, "have one token"),
        (f'[tokens]\na = "é{secret}"', 0o600, "a character that no header carries"),
    ):
        path.write_text(text)
        path.chmod(mode)
        with pytest.raises(ServingError, match=said) as refused:
            read_tokens(path)
        assert secret not in str(refused.value)
    path.write_text(f'[tokens]\nchurn = "{secret}"')
    assert read_tokens(path).deployment(secret) == "churn"


@pytest.mark.parametrize("first", [REQUEST, RESPONSE])
def test_an_inference_service_is_watched_by_its_logger(first: str) -> None:
    """A v2 request and its response, in either order, become rows with scores and the predicted class."""
    opened = Open()
    bodies = {
        REQUEST: {
            "inputs": [{"name": "x", "shape": [2, 2], "datatype": "FP32", "data": [1.0, 2.0, 3.0, 4.0]}]
        },
        RESPONSE: {
            "model_version": "v9",
            "outputs": [
                {"name": "p", "shape": [2, 1], "datatype": "FP32", "data": [0.1, 0.9]},
                {"name": "label", "shape": [2], "datatype": "INT64", "data": [0, 1]},
            ],
        },
    }
    second = RESPONSE if first == REQUEST else REQUEST
    assert opened.event(first, "abc", bodies[first]) == {"taken": 0}
    assert opened.event(second, "abc", bodies[second]) == {"taken": 2}
    assert opened.told.keys == [("churn", "v9", "champion")]
    columns, scores, facts = opened.told.logged[0]
    assert columns == {"x_0": [1.0, 3.0], "x_1": [2.0, 4.0]}
    assert scores == {"p": [0.1, 0.9]}
    assert facts == {"ids": ["abc/0", "abc/1"], "status": "ok", "predicted": [0, 1]}


def test_v1_payloads_and_failures_are_told_too() -> None:
    """Instances and predictions; a response without outputs is an error; a version may stand in the address."""
    opened = Open()
    opened.event(REQUEST, "a", {"instances": [[1.0, "x"], [2.0, "y"]]})
    assert opened.event(RESPONSE, "a", {"predictions": [0.5, 0.25]}, f"token={TOKEN}&version=3") == {
        "taken": 2
    }
    opened.event(REQUEST, "b", {"instances": [[1.0, "x"]]})
    opened.event(RESPONSE, "b", {"error": "it broke"})
    assert opened.told.logged[0][0] == {"input_0": [1.0, 2.0], "input_1": ["x", "y"]}
    assert opened.told.logged[0][1] == {"prediction": [0.5, 0.25]}
    assert opened.told.logged[1][1:] == (None, {"ids": ["b"], "status": "error", "predicted": None})
    assert [key[1] for key in opened.told.keys] == ["3", "unknown"]


def test_halves_that_find_no_other_are_let_go() -> None:
    """After a while, or when there are too many; they are counted by deployment."""
    pairs = Pairs(most=2)
    for number in range(3):
        headers = [(b"ce-type", REQUEST.encode()), (b"ce-id", b"%d" % number)]
        assert pairs.take("churn", headers, b"{}", float(number)) is None
    assert len(pairs) == 2
    assert pairs.expired(2.0) == {"churn": 1}
    assert pairs.expired(LONGEST_S + 3) == {"churn": 2}
    assert len(pairs) == 0


def test_others_are_answered_while_lines_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long body is read slice by slice: between two of them whatever else waits on the loop has its turn."""
    monkeypatch.setattr(doors, "SLICE_S", -1.0)
    opened, turns = Open(), 0
    line = json.dumps({"version": "2", "features": {"a": 1.0}}).encode()
    scope = {"headers": [(b"authorization", b"Bearer " + TOKEN.encode())]}

    async def both() -> None:
        nonlocal turns
        reading = asyncio.ensure_future(opened.doors.events(scope, b"\n".join([line] * 50)))
        while not reading.done():
            await asyncio.sleep(0)
            turns += 1

    asyncio.run(both())
    assert len(opened.told.logged) == 50
    assert turns >= 50


def test_an_id_of_too_many_digits_is_refused_by_its_line() -> None:
    """A number has at most as many digits as a text: what an Emitter would turn away is said, and no 503."""
    opened, most = Open(), int("9" * 1_000)
    for number, wanted in ((most, 200), (-(most // 10), 200), (most + 1, 400), (-most, 400)):
        line = b'{"version": "2", "features": {"a": 1.0}, "id": %d}' % number
        status, told = opened.sends("events", line)
        assert status == wanted
        assert wanted == 200 or "the id is a number of more than 1,000 digits" in told["errors"][0]["error"]


def test_what_is_read_in_one_go_is_bounded() -> None:
    """A line of more than 900,000 bytes is refused by itself, an event of more than four before it is read."""
    opened = Open()
    long = {"version": "2", "features": {"a": "x" * MAX_ROW_BYTES}}
    status, told = opened.sends("events", long, {"version": "2", "features": {"a": 1.0}})
    assert (status, told["taken"], told["refused"]) == (200, 1, 1)
    assert "900,000 are allowed" in told["errors"][0]["error"]
    with pytest.raises(AnswerError, match="4,194,304 are allowed"):
        opened.event(REQUEST, "a", {"inputs": [{"name": "a", "data": ["x" * MAX_PAYLOAD_BYTES]}]})


def test_a_half_that_is_given_back_waits_as_long_again() -> None:
    """Behind those that came meanwhile: each is let go of two minutes after it began to wait."""
    pairs, headers = (
        Pairs(),
        {kind: [(b"ce-type", kind.encode()), (b"ce-id", b"a")] for kind in (REQUEST, RESPONSE)},
    )
    assert pairs.take("churn", headers[REQUEST], b"{}", 0.0) is None
    pair = pairs.take("churn", headers[RESPONSE], b"{}", LONGEST_S)
    assert pair is not None
    pairs.give_back("churn", pair, LONGEST_S)
    assert (pairs.expired(2 * LONGEST_S), len(pairs)) == ({}, 1)
    assert (pairs.expired(2 * LONGEST_S + 1), len(pairs)) == ({"churn": 1}, 0)


def test_halves_that_wait_are_bounded_by_their_bytes() -> None:
    """The oldest goes when a new one does not fit beside it, and is counted."""
    pairs = Pairs(most_bytes=100)
    for identity in (b"a", b"b"):
        headers = [(b"ce-type", REQUEST.encode()), (b"ce-id", identity)]
        assert pairs.take("churn", headers, b" " * 60, 0.0) is None
    assert (len(pairs), pairs.expired(0.0)) == (1, {"churn": 1})
