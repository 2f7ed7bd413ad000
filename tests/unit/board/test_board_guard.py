"""Who is answered by the board at all: names, origins, tokens, cookies."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from board_asgi import SHOWN, app, ask

from driftline.deploy.board.web.errors import BoardError
from driftline.deploy.board.web.guard import token_of
from driftline.schemas.settings_board import Board

TOKEN = "correct-horse-battery"  # noqa: S105 - opens nothing but what these tests make
EVERYWHERE = "0.0.0.0"  # noqa: S104 - refused, as the test says
PANEL = "/api/choices/fleet"
FORM = {"content_type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    "host", ["localhost:8000", "127.0.0.1:8000", "[::1]:8000", "localhost", "Board.House:80"]
)
def test_the_board_answers_to_its_names(host: str) -> None:
    """On loopback it is called by loopback's names and those of the settings."""
    assert ask(app(names="board.house, other"), "GET", "/fleet", host=host).status == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8000", "", "localhost.evil:80"])
def test_another_name_is_not_answered(host: str) -> None:
    """A site that points its own name at this machine reads nothing: its page asks by that name."""
    answer = ask(app(), "POST", PANEL, SHOWN, host=host)
    assert answer.status == 421
    assert "board.names" in answer.sentence


@pytest.mark.parametrize(
    ("site", "status"), [("same-origin", 200), ("none", 200), ("cross-site", 403), ("same-site", 403)]
)
def test_pages_of_others_ask_nothing(site: str, status: int) -> None:
    """A question that a browser says another site asks is refused."""
    assert ask(app(), "POST", PANEL, SHOWN, sec_fetch_site=site).status == status


def test_without_the_token_nothing_is_told() -> None:
    """Programs are told to log in, browsers are led there, and only the login, its looks and its health are open."""
    guarded = app(token=TOKEN)
    for path in ("/api/boards", "/static/main.js", "/fleet"):
        assert ask(guarded, "GET", path).status == 401
    assert ask(guarded, "POST", PANEL, SHOWN).said["error"]["trouble"] == "login"
    led = ask(guarded, "GET", "/fleet?from=now-1h", accept="text/html")
    assert (led.status, led.headers["location"]) == (303, "/login?next=%2Ffleet%3Ffrom%3Dnow-1h")
    assert [ask(guarded, "GET", path).status for path in ("/login", "/static/board.css", "/healthz")] == [
        200
    ] * 3


def test_the_token_opens_the_board() -> None:
    """A program shows it in a header; one with another is refused."""
    guarded = app(token=TOKEN)
    assert ask(guarded, "POST", PANEL, SHOWN, authorization=f"Bearer {TOKEN}").status == 200
    assert ask(guarded, "POST", PANEL, SHOWN, authorization=f"Bearer {TOKEN}x").status == 401
    assert ask(guarded, "POST", PANEL, SHOWN, authorization="Basic eDp5").status == 401


def test_a_login_gives_a_cookie_that_scripts_cannot_read() -> None:
    """The cookie is no token, is kept from scripts and other sites, ends, and is worth nothing once it was changed."""
    guarded = app(token=TOKEN)
    done = ask(guarded, "POST", "/login", f"token={TOKEN}&next=/change".encode(), **FORM)
    assert (done.status, done.headers["location"]) == (303, "/change")
    cookie = done.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert TOKEN not in cookie
    session = cookie.partition(";")[0]
    assert ask(guarded, "POST", PANEL, SHOWN, cookie=session).status == 200
    assert ask(guarded, "POST", PANEL, SHOWN, cookie=session[:-1] + "x").status == 401
    assert ask(guarded, "POST", PANEL, SHOWN, cookie=session.replace("=4", "=5")).status == 401
    assert ask(app(token=TOKEN, now=50_000.0), "POST", PANEL, SHOWN, cookie=session).status == 401
    assert ask(app(token=TOKEN + "!"), "POST", PANEL, SHOWN, cookie=session).status == 401


def test_behind_tls_the_cookie_stays_there() -> None:
    """Where a proxy says that it speaks HTTPS, the cookie is sent over nothing else."""
    form = f"token={TOKEN}".encode()
    done = ask(app(token=TOKEN), "POST", "/login", form, x_forwarded_proto="https", **FORM)
    assert done.headers["set-cookie"].endswith("; Secure")


@pytest.mark.parametrize(
    "place", ["//evil.example/", "https://evil.example/", "/\\evil.example", "/a%0d%0ab", "x"]
)
def test_a_login_leads_to_this_server_alone(place: str) -> None:
    """Whatever the form says, the way goes to a place of the board."""
    done = ask(app(token=TOKEN), "POST", "/login", f"token={TOKEN}&next={place}".encode(), **FORM)
    assert done.headers["location"] == "/"


def test_guessing_is_slowed_and_locks_nobody_out() -> None:
    """After ten wrong tokens in a minute the next are answered 429, while the right one still opens."""
    guarded = app(token=TOKEN)
    codes = [ask(guarded, "POST", "/login", b"token=wrong", **FORM).status for _ in range(11)]
    assert codes == [401] * 10 + [429]
    last = ask(guarded, "POST", "/login", b"token=wrong", **FORM)
    assert last.headers["retry-after"] == "60"
    assert ask(guarded, "POST", "/login", f"token={TOKEN}".encode(), **FORM).status == 303


def test_what_a_form_says_is_shown_as_text() -> None:
    """The login page repeats where it leads to, but not as HTML."""
    shown = ask(app(token=TOKEN), "GET", "/login?next=/%22%3E%3Cscript%3E")
    assert b"<script>" not in shown.body
    for place in re.findall(rb'"(/static/[^"]+)"', shown.body):
        assert ask(app(token=TOKEN), "GET", place.decode()).status == 200


def test_a_logout_takes_the_cookie_back() -> None:
    """After it the browser holds none."""
    guarded = app(token=TOKEN)
    done = ask(guarded, "POST", "/logout", authorization=f"Bearer {TOKEN}")
    assert "Max-Age=0" in done.headers["set-cookie"]


def test_a_board_for_everybody_needs_a_token(tmp_path: Path) -> None:
    """It does not listen elsewhere than on loopback without one, nor with one that can be guessed."""
    with pytest.raises(BoardError, match=r"0\.0\.0\.0.*board\.token_file"):
        token_of(Board(host=EVERYWHERE))
    file = tmp_path / "token"
    file.write_text("short\n")
    with pytest.raises(BoardError, match="5 characters"):
        token_of(Board(host=EVERYWHERE, token_file=str(file)))
    file.write_text(f"{TOKEN}\n")
    assert token_of(Board(host=EVERYWHERE, token_file=str(file))) == TOKEN
    assert token_of(Board(host="::1")) == ""
