"""The user that the board asks ClickHouse as."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from xml.etree import ElementTree as ET

import msgspec
import pytest

from driftline.deploy.board.web.errors import BoardError
from driftline.deploy.board.web.guard import token_of
from driftline.deploy.board.web.start import asks_as
from driftline.deploy.local.board import with_access
from driftline.deploy.local.clickhouse import ClickHouseServer
from driftline.deploy.local.clickhouse_config import ClickHouseOptions, users_xml
from driftline.deploy.local.clickhouse_library import ClickHouseLibrary
from driftline.deploy.local.datadir import DataDirectory
from driftline.deploy.local.secured import Secured
from driftline.schemas.settings import ClickHouse, Secret, Settings
from driftline.schemas.settings_board import Board
from driftline.streams.clickhouse import users

SECRET = "se<cr>&et"  # noqa: S105 - of no server


USER = "house-board"


def test_the_user_reads_and_no_more() -> None:
    """Every grant is a SELECT on driftline's own database or on columns of one system table; no setting is taken."""
    board = users.role(users.BOARD)
    for grant in users.granted(board, "house"):
        assert re.fullmatch(r"SELECT(\([\w, ]+\))? ON (`house`\.\*|system\.parts)", grant), grant
    held = {name: value for name, value, _ in users.settings_of(board.limits)}
    assert held["readonly"] == 1
    assert held["max_threads"] == 2


def test_the_local_server_has_the_user_from_loopback_alone() -> None:
    """Without users by role it has that of the table: the digest of the password, the grants and the limits."""
    text = users_xml(ClickHouseOptions(8123, "", database="house", board_password=SECRET))
    assert SECRET not in text
    document = ET.fromstring(text)  # noqa: S314 - our own text
    user = document.find(f"users/{USER}")
    assert user is not None
    assert [entry.text for entry in user.iter("ip")] == ["127.0.0.1"]
    board = users.role(users.BOARD)
    assert [entry.text for entry in user.iter("query")] == [
        f"GRANT {one}" for one in users.granted(board, "house")
    ]
    profile = document.find(f"profiles/{user.findtext('profile')}")
    assert profile is not None
    for name, value, _ in users.settings_of(board.limits):
        assert profile.findtext(name) == str(value)
    other = ET.fromstring(users_xml(ClickHouseOptions(8123, "")))  # noqa: S314 - our own text
    assert [one.tag for one in other.findall("users/*")] == ["default"]


def test_the_password_is_made_once_and_is_its_owners(tmp_path: Path) -> None:
    """A server's first start makes a long password that only its owner may read, and later ones keep it."""
    server = ClickHouseServer(
        ClickHouseLibrary(tmp_path, "1"), tmp_path, ClickHouseOptions(1, ""), log=tmp_path / "log"
    )
    first = server._board_password()
    assert len(first) >= 32
    assert stat.S_IMODE(server.board_password_file.stat().st_mode) == 0o600
    assert server._board_password() == first


def test_beside_a_local_stack_the_board_finds_its_user(tmp_path: Path) -> None:
    """It takes the local user where no other is named; a ClickHouse outside has none."""
    directory = DataDirectory(tmp_path)
    settings = Settings()
    assert with_access(settings, directory) == settings
    directory.clickhouse.mkdir()
    (directory.clickhouse / "board.password").write_text(SECRET)
    found = with_access(settings, directory).board
    assert found.clickhouse_user == "driftline-board"
    assert Path(found.clickhouse_password_file).read_text() == SECRET
    named = msgspec.structs.replace(
        settings, board=msgspec.structs.replace(settings.board, clickhouse_user="mine")
    )
    assert with_access(named, directory) == named
    outside = msgspec.structs.replace(
        settings, local=msgspec.structs.replace(settings.local, clickhouse="outside")
    )
    assert with_access(outside, directory) == outside


def test_beside_a_secured_stack_the_board_asks_for_its_token(tmp_path: Path) -> None:
    """The stack makes it, long and its owner's alone, keeps it, and the board is told its file; a named one stays."""
    directory = DataDirectory(tmp_path)
    Secured(directory.access, is_new=True)
    file = directory.access / "board.token"
    made = file.read_text()
    assert len(made) >= 32
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Secured(directory.access, is_new=False).file_of("board").parent == file.parent
    assert file.read_text() == made
    secured = Settings(clickhouse=ClickHouse(secure=True))
    asks = with_access(secured, directory).board
    assert token_of(asks) == made
    assert asks.clickhouse_user == ""
    named = msgspec.structs.replace(secured, board=Board(token_file=str(tmp_path / "mine")))
    assert with_access(named, directory) == named


def test_without_a_user_of_its_own_the_board_asks_as_all_do(tmp_path: Path) -> None:
    """That of the section clickhouse is a role's, where a stack has users by role; a password's file must be there."""
    settings = Settings(clickhouse=ClickHouse(user="house-board", password=Secret(SECRET)))
    assert asks_as(settings) == ("house-board", SECRET)
    file = tmp_path / "password"
    own = msgspec.structs.replace(
        settings, board=Board(clickhouse_user="mine", clickhouse_password_file=str(file))
    )
    with pytest.raises(BoardError, match="No such file"):
        asks_as(own)
    file.write_text("other\n")
    assert asks_as(own) == ("mine", "other")
