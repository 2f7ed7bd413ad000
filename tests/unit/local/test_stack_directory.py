"""The data directory, the state file and the ports."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import Any

import msgspec
import pytest

from driftline.deploy.demo.stack import clear
from driftline.deploy.local.check_directory import directory_checks
from driftline.deploy.local.datadir import DataDirectory, Identity, nearest, newest
from driftline.deploy.local.discover import running_state, settings_here
from driftline.deploy.local.errors import StackError
from driftline.deploy.local.ports import FREE_PORTS, claim, free_port
from driftline.deploy.local.report import observe
from driftline.deploy.local.rotate import rotate
from driftline.deploy.local.stack import Stack
from driftline.deploy.local.state import (
    StackState,
    process_started,
    read_state,
    supervisor_lives,
    write_state,
)
from driftline.deploy.local.stopping import stop_stack
from driftline.schemas.settings import Local, Settings


def own_state() -> StackState:
    """Return a state whose supervisor is this process."""
    return StackState(
        pid=os.getpid(),
        pid_started=process_started(os.getpid()) or 0.0,
        phase="running",
        started=1.0,
        bootstrap="127.0.0.1:21000",
        clickhouse_host="127.0.0.1",
        clickhouse_port=22000,
    )


@pytest.fixture
def directory(tmp_path: Path) -> DataDirectory:
    """Give a data directory where commands look for one."""
    made = DataDirectory(tmp_path / ".driftline")
    made.make()
    return made


def test_only_one_process_holds_a_directory(directory: DataDirectory) -> None:
    """A second holder is refused by name of the first; a closed lock, as after kill -9, holds nothing."""
    lock = directory.hold()
    assert directory.is_held()
    with pytest.raises(StackError, match=f"pid {os.getpid()}"):
        directory.hold()
    with pytest.raises(StackError, match="already"):
        directory.check_free()
    lock.close()
    assert not directory.is_held()
    directory.hold().close()


def test_a_file_is_no_data_directory(tmp_path: Path) -> None:
    """A path that is a file is refused with the mend."""
    (tmp_path / "file").touch()
    with pytest.raises(StackError, match="--data-dir"):
        DataDirectory(tmp_path / "file").make()


def test_an_identity_is_kept(directory: DataDirectory) -> None:
    """The cluster id of a new directory is the one it keeps."""
    first = directory.identity()
    directory.write_identity(first)
    assert directory.identity() == first


def test_segments_of_another_cluster_are_refused(directory: DataDirectory) -> None:
    """A directory whose segments belong to another cluster is not started on."""
    directory.write_identity(directory.identity())
    data = directory.kafka / "data"
    data.mkdir(parents=True)
    (data / "meta.properties").write_text("version=1\ncluster.id=BBBBBBBBBBBBBBBBBBBBBB\n")
    with pytest.raises(StackError, match="BBBBBBBBBBBBBBBBBBBBBB"):
        directory.identity()


def test_segments_without_an_identity_are_adopted(directory: DataDirectory) -> None:
    """When only the identity file is lost, the segments' cluster id is taken."""
    data = directory.kafka / "data"
    data.mkdir(parents=True)
    (data / "meta.properties").write_text("cluster.id=BBBBBBBBBBBBBBBBBBBBBB\n")
    assert directory.identity().cluster_id == "BBBBBBBBBBBBBBBBBBBBBB"


def filled(directory: DataDirectory, *parts: str) -> None:
    """Put something where these parts keep their data."""
    for part in parts:
        (directory.root / part / "data" / "something-0").mkdir(parents=True)


WHOLE = Identity(cluster_id="A" * 22, whole=True)


@pytest.mark.parametrize(("kept", "lost"), [("kafka", "clickhouse"), ("clickhouse", "kafka")])
def test_half_a_data_directory_is_refused(directory: DataDirectory, kept: str, lost: str) -> None:
    """Kafka's log without ClickHouse's tables, or these without the log: one sentence says what to do, twice."""
    filled(directory, kept)
    directory.write_identity(WHOLE)
    settings = Settings(local=Local(data_dir=str(directory.root)))
    with pytest.raises(StackError) as caught:
        Stack(settings, env={"PATH": ""}).prepare()
    assert f"is missing in '{directory.root / lost}'" in str(caught.value)
    assert f"or remove '{directory.root / kept}' as well to begin anew" in str(caught.value)
    assert not directory.is_held()
    check = next(one for one in directory_checks(settings, directory) if one.name == "data directory")
    assert (check.level, check.found + ": " + check.mend) == ("fail", str(caught.value))


def test_a_first_start_that_was_cut_short_goes_on(directory: DataDirectory) -> None:
    """A log without tables is refused only where both had been ready; after both went the directory is new."""
    assert directory.check_whole(WHOLE) == Identity(cluster_id="A" * 22)
    filled(directory, "kafka")
    assert not directory.check_whole(Identity(cluster_id="A" * 22)).whole
    filled(directory, "clickhouse")
    assert directory.check_whole(WHOLE).whole


def test_one_port_for_two_servers_is_refused(directory: DataDirectory) -> None:
    """Kafka and ClickHouse on the same port are one sentence, from `up` and from `doctor`."""
    settings = Settings(local=Local(data_dir=str(directory.root), kafka_port=19999, clickhouse_port=19999))
    with pytest.raises(StackError, match="both to listen on port 19999: choose another"):
        Stack(settings, env={"PATH": ""}).prepare()
    check = next(one for one in directory_checks(settings, directory) if one.name == "clickhouse port")
    assert (check.level, check.found) == ("fail", "19999 is Kafka's too")


@pytest.mark.parametrize("content", [b"{", b'{"format": 2, "cluster_id": "AAAAAAAAAAAAAAAAAAAAAA"}'])
def test_a_damaged_or_later_identity_is_refused(directory: DataDirectory, content: bytes) -> None:
    """A damaged identity and one of a later format are one sentence each."""
    directory.identity_file.write_bytes(content)
    with pytest.raises(StackError, match="move it away"):
        directory.identity()


def test_only_newer_versions_are_refused(tmp_path: Path) -> None:
    """Data of the same or an older version are taken, of a newer one not."""
    assert newest(tmp_path, "Kafka", "", "4.4.0") == "4.4.0"
    assert newest(tmp_path, "Kafka", "4.10.0", "4.10.0") == "4.10.0"
    assert newest(tmp_path, "ClickHouse", "26.3.1-stable.9", "26.7.3-stable.1") == "26.7.3-stable.1"
    with pytest.raises(StackError, match=r"4\.10\.0"):
        newest(tmp_path, "Kafka", "4.10.0", "4.4.0")


def test_the_state_file_survives_the_disk(directory: DataDirectory) -> None:
    """What was written is read; a torn or foreign file is none."""
    write_state(directory.state_file, own_state())
    assert read_state(directory.state_file) == own_state()
    directory.state_file.write_text("{")
    assert read_state(directory.state_file) is None


def test_a_reused_pid_is_not_the_supervisor() -> None:
    """A process with the same pid but another start is not taken for the supervisor."""
    assert supervisor_lives(own_state())
    assert not supervisor_lives(msgspec.structs.replace(own_state(), pid_started=1.0))


def test_commands_find_the_running_stack(directory: DataDirectory, tmp_path: Path) -> None:
    """Without an address of one's own, the settings point at the stack that runs here."""
    write_state(directory.state_file, own_state())
    settings = settings_here({}, tmp_path)
    assert settings.kafka.bootstrap == "127.0.0.1:21000"
    assert settings.clickhouse.port == 22000


def test_an_address_of_ones_own_wins(directory: DataDirectory, tmp_path: Path) -> None:
    """A variable or the TOML file goes over the running stack, even with a default's value."""
    write_state(directory.state_file, own_state())
    by_variable = settings_here({"DRIFTLINE_KAFKA_BOOTSTRAP": "127.0.0.1:9092"}, tmp_path)
    assert by_variable.kafka.bootstrap == "127.0.0.1:9092"
    assert by_variable.clickhouse.port == 22000
    (tmp_path / "driftline.toml").write_text('[clickhouse]\nhost = "db"\n[local]\nkafka = "outside"\n')
    by_file = settings_here({}, tmp_path)
    assert (by_file.clickhouse.host, by_file.clickhouse.port) == ("db", 8123)
    assert by_file.kafka.bootstrap == "127.0.0.1:9092"


def test_no_stack_and_no_address_is_one_sentence(directory: DataDirectory, tmp_path: Path) -> None:
    """A command that needs an address says how to get one; a dead supervisor's file does not count."""
    write_state(directory.state_file, msgspec.structs.replace(own_state(), pid_started=1.0))
    assert running_state(directory) is None
    with pytest.raises(StackError, match="driftline up"):
        settings_here({}, tmp_path)
    assert settings_here({}, tmp_path, required=False).kafka.bootstrap == "127.0.0.1:9092"


def test_a_part_that_is_not_needed_is_not_asked_for(directory: DataDirectory, tmp_path: Path) -> None:
    """A worker of Kafka alone starts with the address of Kafka alone, and is told of that alone where it lacks."""
    kafka = {"DRIFTLINE_KAFKA_BOOTSTRAP": "127.0.0.1:9099"}
    assert running_state(directory) is None
    assert settings_here(kafka, tmp_path, needs=("kafka",)).kafka.bootstrap == "127.0.0.1:9099"
    with pytest.raises(StackError, match=r"addresses with DRIFTLINE_KAFKA_BOOTSTRAP$"):
        settings_here({}, tmp_path, needs=("kafka",))
    with pytest.raises(StackError, match=r"addresses with DRIFTLINE_CLICKHOUSE_HOST$"):
        settings_here(kafka, tmp_path)


def test_a_port_in_use_is_refused_and_avoided() -> None:
    """A chosen port that is in use is one sentence; a preferred one is passed over."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StackError, match=f"the port {port} on 127.0.0.1 is in use by x: .*--kafka-port"):
            claim(port, setting="--kafka-port", owner="x")
        assert free_port(set(), preferred=port) in FREE_PORTS
    assert claim(port, setting="--kafka-port") == port
    assert free_port(set(), preferred=port) == port
    assert free_port({port}, preferred=port) != port


def test_a_log_is_bounded_while_it_is_written(tmp_path: Path) -> None:
    """A full log is emptied in place, its writer goes on, and only some old ones stay."""
    log = tmp_path / "a.log"
    with log.open("ab", buffering=0) as writer:
        for number in range(6):
            writer.write(bytes([65 + number]) * 11)
            assert rotate(log, greatest_bytes=10, kept=3)
        writer.write(b"on")
        assert not rotate(log, greatest_bytes=10, kept=3)
    assert log.read_bytes() == b"on"
    assert {path.name: path.read_bytes()[:1] for path in tmp_path.glob("*.log.*")} == {
        "a.log.1": b"F",
        "a.log.2": b"E",
        "a.log.3": b"D",
    }


def test_an_identity_names_its_format() -> None:
    """An identity is written with its format, so that a later release can tell."""
    assert msgspec.json.decode(msgspec.json.encode(Identity()))["format"] == 1


def test_a_cluster_id_that_cannot_be_read_is_one_sentence(directory: DataDirectory) -> None:
    """Something else in the place of Kafka's own file is named, with what to do."""
    (directory.kafka / "data" / "meta.properties").mkdir(parents=True)
    with pytest.raises(StackError, match=r"meta\.properties' cannot be read .*: move it away"):
        directory.identity()


def test_a_data_directory_below_a_file_is_found_by_doctor(tmp_path: Path) -> None:
    """Where no folder can be made doctor says so, and goes on to the disk."""
    (tmp_path / "file").touch()
    directory = DataDirectory(tmp_path / "file" / "deep" / "data")
    assert nearest(directory.root) == tmp_path / "file"
    check = next(one for one in directory_checks(Settings(), directory) if one.name == "data directory")
    assert (check.level, check.found) == ("fail", f"{tmp_path / 'file'} may not be written")
    with pytest.raises(StackError, match=r"cannot be made anew .*: run it where you may write"):
        clear(directory.root, print)


def test_a_directory_that_may_not_be_read_is_not_said_to_be_idle(
    directory: DataDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user's stack may run there: status, down and what needs an address say what they cannot see."""
    write_state(directory.state_file, own_state())
    opened = Path.open

    def refused(path: Path, *args: Any, **kwargs: Any) -> Any:
        if path == directory.state_file:
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return opened(path, *args, **kwargs)

    monkeypatch.setattr(Path, "open", refused)
    monkeypatch.setattr(Path, "read_bytes", lambda path: refused(path, "rb").read())
    with pytest.raises(StackError, match=r"cannot be read \(Permission denied\)"):
        stop_stack(directory, print)
    with pytest.raises(StackError, match=r"cannot be read \(Permission denied\)"):
        settings_here({}, directory.root.parent)
    (problem,) = observe(settings_here({}, directory.root.parent, required=False), directory).problems
    assert "cannot be read (Permission denied)" in problem
