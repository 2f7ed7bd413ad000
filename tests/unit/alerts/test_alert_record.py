"""The record of topic `alerts`, and the file of routes."""

from __future__ import annotations

from pathlib import Path

import pytest
from bad_windows import OneBook, window

from driftline.schemas.alert import Alert, Subject, acknowledgement, alert_name
from driftline.schemas.deployment import AlertRule, Contact
from driftline.schemas.refusal import Refused
from driftline.schemas.routes import read_routes
from driftline.schemas.sources import SettingsError
from driftline.streams.alerts.case import Case
from driftline.streams.alerts.windows import take


def fired() -> Alert:
    """An edge with everything in it."""
    book = OneBook(alerts=AlertRule(k=1, m=1), owner="Ana", contacts=(Contact(route="chat"),))
    (edge,) = take(Case(deployment="shop"), window(0, 0, {"x": "fail"}), book, 5)
    return edge


def test_an_edge_travels_whole() -> None:
    """It is the same after its bytes are read, and so is an acknowledgement of it."""
    edge = fired()
    assert Alert.from_bytes(edge.to_bytes()) == edge
    ack = acknowledgement(edge, "Bo", "looking", 9)
    assert Alert.from_bytes(ack.to_bytes()) == ack
    assert (ack.ordinal, ack.state, ack.by, ack.routes) == (edge.ordinal, "acknowledged", "Bo", ())


def test_another_record_is_refused() -> None:
    """A window result on the topic is no alert."""
    with pytest.raises(Refused, match="a WindowResult lies where an Alert belongs"):
        Alert.from_bytes(window(0, 0, {}).to_bytes())


def test_names_do_not_run_into_one_another() -> None:
    """No two of deployment, rule and subject share a name, wherever their parts begin and end."""
    names = {
        alert_name("a", "windows", Subject("drift", "bc")),
        alert_name("ab", "windows", Subject("drift", "c")),
        alert_name("a", "windows", Subject("drift", "b", "c")),
        alert_name("a", "windows", Subject("drift", "b", "", "c")),
        alert_name("a", "silence", Subject("drift", "bc")),
    }
    assert len(names) == 5


def test_routes_are_read_with_their_secrets(tmp_path: Path) -> None:
    """A webhook has its secret from a file or a variable; a secret is never shown."""
    (tmp_path / "secret").write_text("sixteen letters.\n")
    file = tmp_path / "routes.toml"
    file.write_text(
        f'[chat]\nwebhook = "https://x.example.org/a?b=1"\nsecret_file = "{tmp_path / "secret"}"\n'
        '[pager]\nwebhook = "http://y"\nsecret_env = "PAGER"\neverything = true\n'
        '[am]\nalertmanager = "http://127.0.0.1:9093"\n'
    )
    routes = read_routes(file, {"PAGER": "another secret of enough letters"})
    assert [(one.kind, one.everything) for one in routes.values()] == [
        ("webhook", False),
        ("webhook", True),
        ("alertmanager", False),
    ]
    assert routes["chat"].secret == b"sixteen letters."
    assert "letters" not in repr(routes)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            '[" chat"]\nwebhook = "http://x"',
            "route ' chat' has a name that no contact can have; give it 1 to 200",
        ),
        ("chat = 1", "route 'chat' is 1 and must be a table, [chat]"),
        ('[chat]\nwebhok = "http://x"', "unknown key 'webhok'; did you mean webhook?"),
        ("[chat]\neverything = true", "must have one of webhook and alertmanager"),
        (
            '[chat]\nwebhook = "ftp://x"',
            "webhook is 'ftp://x'; it must be an address that begins with http:// or",
        ),
        ('[chat]\nwebhook = "http://:80/"', "webhook is 'http://:80/', which names no host"),
        ('[chat]\nwebhook = "http://x:99999/"', "which is no address: Port out of range"),
        ('[chat]\nwebhook = "http://me:secret@x/"', "has a user in its address"),
        ('[chat]\nwebhook = "http://x"\neverything = 1', "everything is 1; it must be true or false"),
        (
            '[chat]\nwebhook = "http://x"\nsecret_file = "none"',
            "the file none with its secret cannot be read",
        ),
        (
            '[chat]\nwebhook = "http://x"\nsecret_env = "NONE"',
            "the variable NONE holds 0 characters of secret",
        ),
        ('[chat]\nwebhook = "http://x"\nsecret_env = "A"\nsecret_file = "b"', "it must have one of them"),
        (
            '[am]\nalertmanager = "http://x"\nsecret_env = "LONG"',
            "a secret, which only webhooks are signed with",
        ),
        ("[chat", "is no TOML"),
    ],
)
def test_a_wrong_file_of_routes_is_one_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    """It names the route, what is wrong, and what is allowed; nothing of a secret."""
    file = tmp_path / "routes.toml"
    file.write_text(text)
    with pytest.raises(SettingsError) as found:
        read_routes(file, {"LONG": "sixteen letters."})
    assert sentence in str(found.value)
    assert "sixteen" not in str(found.value)
