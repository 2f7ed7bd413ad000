"""What each address of the board answers, over a source that is told what to say."""

from __future__ import annotations

import re
from typing import Any

import pytest
from board_asgi import SHOWN, Told, app, ask

from driftline.deploy.board.panel import Kind
from driftline.deploy.board.panels import DASHBOARDS
from driftline.deploy.board.web.errors import NoFiguresError, Trouble
from driftline.deploy.board.web.listing import boards, panels

PICKED = {
    "deployment": ["churn", "it's"],
    "version": ["1"],
    "resolution": ["1d"],
    "feature": ["f1"],
    "segment": ["region"],
}
ASKED = {**SHOWN, "picked": PICKED}


@pytest.mark.parametrize("name", [board.name for board in DASHBOARDS])
def test_every_dashboard_has_a_page(name: str) -> None:
    """Each dashboard is a page of its own name, and / leads to the first with what it was asked."""
    page = ask(app(), "GET", f"/{name}")
    assert (page.status, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b"main.js" in page.body
    first = ask(app(), "GET", "/?from=now-1h")
    assert (first.status, first.headers["location"]) == (303, "/fleet?from=now-1h")


def test_every_answer_keeps_the_page_to_itself() -> None:
    """Pages, files, figures and errors all forbid foreign scripts, frames, sniffing and telling where one came from."""
    answers = [
        ask(app(), "GET", "/fleet"),
        ask(app(), "GET", "/static/main.js"),
        ask(app(), "GET", "/nothing"),
        ask(app(), "GET", "/healthz"),
        ask(app(), "POST", "/api/panels/fleet/alerts-that-fire", ASKED),
    ]
    assert [answer.status for answer in answers] == [200, 200, 404, 200, 200]
    for answer in answers:
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"


def test_the_list_names_every_panel_and_no_sql() -> None:
    """The page is told of all panels, in order, and of no statement."""
    answer = ask(app(), "GET", "/api/boards")
    listed = [(board["name"], panel["title"]) for board in answer.said["boards"] for panel in board["panels"]]
    assert listed == [(board.name, panel.title) for board in DASHBOARDS for panel in board.panels]
    assert b"SELECT" not in answer.body
    assert len(panels()) == len(listed)


@pytest.mark.parametrize(("board", "panel"), list(panels()))
def test_a_panel_is_asked_with_its_own_statement(board: str, panel: str) -> None:
    """A panel's statement goes as it stands in the list, and what was picked goes beside it as parameters."""
    source = Told()
    answer = ask(app(source), "POST", f"/api/panels/{board}/{panel}", ASKED)
    assert answer.status == 200
    [(sql, given)] = source.asked
    asked = panels()[board, panel]
    assert sql == asked.sql
    assert set(given) == set(asked.parameters)
    for name, value in given.items():
        if name == "from":
            assert value == "2023-11-14 22:13:20.000"
        elif name != "to":
            picked = PICKED[name]
            assert value == (picked if asked.parameters[name].startswith("Array") else picked[0])


def test_choices_start_with_all_or_with_the_first() -> None:
    """Where nothing is picked, a fleet shows all deployments, and a dashboard of one model the first."""
    whole = ask(app(), "POST", "/api/choices/fleet", SHOWN).said
    assert whole["picked"]["deployment"] == ["a", "b"]
    one = ask(app(), "POST", "/api/choices/deployment", SHOWN).said
    assert one["picked"] == {"resolution": ["a"], "deployment": ["a"], "version": ["a", "b"]}
    kept = ask(app(), "POST", "/api/choices/deployment", {**SHOWN, "picked": {"deployment": ["gone"]}}).said
    assert kept["picked"]["deployment"] == ["gone"]


def test_a_choice_is_asked_with_those_before_it() -> None:
    """Versions are those of the deployments that are picked."""
    source = Told()
    ask(app(source), "POST", "/api/choices/deployment", {**SHOWN, "picked": {"deployment": ["churn"]}})
    assert source.asked[-1][1]["deployment"] == ["churn"]


def test_annotations_are_asked_of_the_deployments_picked() -> None:
    """Changes and alerts come by their names; a picked segment does not disturb them."""
    source = Told()
    answer = ask(app(source), "POST", "/api/annotations/fairness", ASKED)
    assert set(answer.said) == {"Changes", "Alerts"}
    assert [set(given) for _, given in source.asked] == [{"deployment", "from", "to"}] * 2


BAD: list[tuple[str, Any, int, str]] = [
    ("/api/panels/fleet/nothing", ASKED, 404, "/fleet"),
    ("/api/panels/nothing/alerts", ASKED, 404, "'/api/panels/nothing/alerts'"),
    ("/api/choices/nothing", ASKED, 404, "nothing is called"),
    ("/api/panels/fleet/predictions-by-deployment/more", ASKED, 404, "nothing is called"),
    ("/api/panels/fleet/predictions-by-deployment", b"{", 400, "no question of the board"),
    ("/api/panels/fleet/predictions-by-deployment", b"\xff", 400, "no question of the board"),
    ("/api/panels/fleet/predictions-by-deployment", {**ASKED, "sql": "SELECT 1"}, 400, "sql"),
    ("/api/panels/fleet/predictions-by-deployment", {**ASKED, "from": "now"}, 400, "from"),
    ("/api/panels/fleet/predictions-by-deployment", {**ASKED, "from": -1}, 400, "from"),
    ("/api/panels/fleet/predictions-by-deployment", {**ASKED, "to": 10**16}, 400, "to"),
    ("/api/panels/fleet/predictions-by-deployment", {**ASKED, "from": SHOWN["to"]}, 400, "end later"),
    (
        "/api/panels/fleet/predictions-by-deployment",
        {**SHOWN, "picked": {"resolution": ["1d"]}},
        400,
        "deployment",
    ),
    ("/api/panels/fleet/predictions-by-deployment", {**SHOWN, "picked": {"table": ["x"]}}, 400, "'table'"),
    ("/api/panels/fleet/predictions-by-deployment", {**SHOWN, "picked": {"deployment": "x"}}, 400, "array"),
    (
        "/api/panels/fleet/predictions-by-deployment",
        {**SHOWN, "picked": {"deployment": ["x" * 1001]}},
        400,
        "1000",
    ),
    (
        "/api/panels/fleet/predictions-by-deployment",
        {**SHOWN, "picked": {"deployment": ["x"] * 1001}},
        400,
        "1000",
    ),
    (
        "/api/panels/fleet/predictions-by-deployment",
        {**SHOWN, "picked": {"deployment": ["x"], "resolution": ["1d", "1h"]}},
        400,
        "one resolution",
    ),
    ("/api/panels/fleet/predictions-by-deployment", b" " * ((1 << 20) + 1), 413, "1,048,576"),
]


@pytest.mark.parametrize(("path", "body", "status", "word"), BAD)
def test_a_wrong_question_is_answered_by_one_sentence(path: str, body: Any, status: int, word: str) -> None:
    """What is unknown, malformed or too much never reaches ClickHouse, and the answer names the thing."""
    source = Told()
    answer = ask(app(source), "POST", path, body)
    assert answer.status == status
    assert word in answer.sentence
    assert source.asked == []


def test_other_methods_and_kinds_are_refused() -> None:
    """Only GET and POST are known, and a question is JSON: a form of another site cannot send one."""
    other = ask(app(), "DELETE", "/fleet")
    assert (other.status, other.headers["allow"]) == (405, "GET, HEAD, POST")
    form = ask(app(), "POST", "/api/choices/fleet", ASKED, content_type="text/plain")
    assert (form.status, "application/json" in form.sentence) == (415, True)


@pytest.mark.parametrize(
    ("trouble", "status"),
    [
        (Trouble.AWAY, 503),
        (Trouble.BUSY, 503),
        (Trouble.TIMEOUT, 504),
        (Trouble.LIMIT, 422),
        (Trouble.DENIED, 403),
        (Trouble.PANEL, 502),
    ],
)
def test_troubles_have_their_status(trouble: Trouble, status: int) -> None:
    """The page tells kinds of trouble apart, and whoever may try again is told when."""
    again = 2 if trouble in (Trouble.AWAY, Trouble.BUSY) else None
    source = Told(NoFiguresError(trouble, "it is so", again_s=again))
    answer = ask(app(source), "POST", "/api/panels/fleet/alerts-that-fire", ASKED)
    assert answer.status == status
    assert answer.said == {"error": {"trouble": trouble.value, "sentence": "it is so", "again_s": again}}
    assert answer.headers.get("retry-after") == (None if again is None else "2")


def test_a_fault_of_the_board_is_a_sentence_too(caplog: pytest.LogCaptureFixture) -> None:
    """What nobody foresaw stands in the log with its place, and the page learns no more than that it happened."""

    class Broken(Told):
        async def answer(self, sql: str, parameters: dict[str, Any]) -> bytes:
            """Fail."""
            raise RuntimeError(sql, parameters)

    answer = ask(app(Broken()), "POST", "/api/panels/fleet/alerts-that-fire", ASKED)
    assert (answer.status, answer.sentence) == (500, "the board failed: see its log")
    assert "RuntimeError" in caplog.text


def test_a_browser_that_goes_away_takes_its_question_with_it() -> None:
    """The question is given up when the browser leaves, and nothing is answered."""
    source = Told(forever=True)
    answer = ask(app(source), "POST", "/api/panels/fleet/alerts-that-fire", ASKED, leaves=True)
    assert (answer.status, source.given_up) == (0, True)


def test_files_are_packed_and_sent_once() -> None:
    """A file comes packed where that is taken, and a browser that has it is told so."""
    plain = ask(app(), "GET", "/static/main.js")
    packed = ask(app(), "GET", "/static/main.js", accept_encoding="gzip, br")
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.body == plain.body
    assert int(packed.headers["content-length"]) < len(plain.body) / 2
    again = ask(app(), "GET", "/static/main.js", if_none_match=plain.headers["etag"])
    assert (again.status, again.body) == (304, b"")


def test_a_browser_keeps_what_does_not_change() -> None:
    """A page names its files below their version, where they stay for good; the page itself is asked for each time."""
    page = ask(app(), "GET", "/fleet")
    assert page.headers["cache-control"] == "no-cache"
    named = re.findall(rb'"(/static/[^"]+)"', page.body)
    assert len(named) > 10
    for place in named:
        file = ask(app(), "GET", place.decode())
        assert (file.status, "immutable" in file.headers["cache-control"]) == (200, True), place
    older = re.sub(rb"/static/\w+/", b"/static/0123456789abcdef/", named[0]).decode()
    assert ask(app(), "GET", older).status == 404


@pytest.mark.parametrize("path", ["/static/../app.py", "/static/index.html/..", "/static/", "/static/app.py"])
def test_nothing_but_the_pages_own_files_is_sent(path: str) -> None:
    """No path leads out of the folder of the page."""
    assert ask(app(), "GET", path).status == 404


def test_cut_lists_are_known_to_the_page() -> None:
    """Panels that cut their rows say at which number, so that the page can tell of it."""
    assert len(boards()) == len(DASHBOARDS)
    listed = {
        panel["name"]: panel["limit"]
        for panel in ask(app(), "GET", "/api/boards").said["boards"][0]["panels"]
    }
    fleet = DASHBOARDS[0]
    for panel in fleet.panels:
        assert listed[panel.name] == (None if panel.kind is Kind.STAT else int(panel.sql.split()[-1]))
