"""`driftline deployment` over a topic in memory: what it publishes, shows and refuses."""

from __future__ import annotations

import json
import os
import pwd
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from counting import batch, profile_of

from driftline.deploy.cli import main
from driftline.deploy.local import deployments, operator
from driftline.deploy.tables import shelf
from driftline.schemas.deployment import DeploymentSettings
from driftline.schemas.deployment_file import read_deployment
from driftline.schemas.deployment_state import DeploymentState, next_state
from driftline.schemas.settings import Kafka
from driftline.schemas.topics import STATES

Say = Callable[..., tuple[int, str, str]]
FILE = 'deployment = "flights"\nowner = "Ana"\n'


class Log:
    """The topic: keys and values; `meanwhile` may write before a record is taken, `after` then; and the profiles."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes, bytes | None]] = []
        self.profiles: list[Any] = []
        self.meanwhile: Callable[[], None] = lambda: None
        self.after: Callable[[], None] = lambda: None

    def read(self, _kafka: object, topic: str) -> Iterator[Any]:
        """Stand for compacted.records."""
        assert topic == STATES
        for key, value in list(self.records):
            yield SimpleNamespace(key=lambda key=key: key, value=lambda value=value: value)

    def write(self, _kafka: object, topic: str, key: bytes, value: bytes) -> None:
        """Stand for compacted.produce."""
        assert topic == STATES
        self.meanwhile()
        self.records.append((key, value))
        self.after()

    def put(self, state: DeploymentState) -> None:
        """Write as somebody else."""
        self.records.append((state.deployment.encode(), state.to_bytes()))


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    """Put a topic in memory where Kafka would be."""
    made = Log()
    monkeypatch.setattr(deployments, "records", made.read)
    monkeypatch.setattr(deployments, "produce", made.write)
    monkeypatch.setattr(shelf, "records", lambda _kafka, _topic: iter(made.profiles))
    return made


@pytest.fixture
def say(log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Return a caller of `driftline deployment` in a folder with flights.toml: code, stdout, stderr."""
    del log
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DRIFTLINE_OPERATOR_NAME", "ana")
    monkeypatch.setenv("DRIFTLINE_KAFKA_BOOTSTRAP", "nowhere:1")
    monkeypatch.setenv("DRIFTLINE_CLICKHOUSE_HOST", "nowhere")
    (tmp_path / "flights.toml").write_text(FILE, encoding="utf-8")

    def call(*words: str) -> tuple[int, str, str]:
        code = main(["deployment", *words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def other(owner: str, held: DeploymentState | None = None) -> DeploymentState:
    """Return what somebody else would publish."""
    return next_state(held, DeploymentSettings(deployment="flights", owner=owner), changed_by="ben", now_ms=9)


def states(log: Log) -> list[DeploymentState]:
    """Return every record of the topic."""
    return [DeploymentState.from_bytes(value) for _, value in log.records if value is not None]


def test_settings_are_published_as_the_first_revision(say: Say, log: Log) -> None:
    """The record holds what the file says, its revision, and who did it, and lies under its deployment."""
    assert say("apply", "flights.toml") == (
        0, "applied to flights, revision 1, as ana, for all windows\n", "",
    )  # fmt: skip
    (state,) = states(log)
    assert log.records[0][0] == b"flights"
    assert (state.revision, state.since_ms, state.changed_by, state.settings.owner) == (1, 0, "ana", "Ana")


def test_a_name_that_no_profile_has_is_a_warning(say: Say, log: Log, tmp_path: Path) -> None:
    """It is published all the same, for a profile may come; people read it on stderr, programs in `warnings`."""
    (tmp_path / "flights.toml").write_text(FILE + "[feature_importance]\ntmep = 1.0\n", encoding="utf-8")
    code, _, err = say("apply", "flights.toml")
    assert (code, len(states(log))) == (0, 1)
    assert err == (
        "driftline: warning: no profile of 'flights' is published yet, so the names in feature_importance are not "
        "checked\n"
    )
    profile = profile_of(batch({"temp": [1.0, 2.0]}), has_times=False, provenance="none")
    value = replace(profile, deployment="flights").to_bytes()
    log.profiles = [SimpleNamespace(key=lambda: b"flights/1", value=lambda: value)]
    code, out, err = say("apply", "flights.toml", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["warnings"] == [
        "feature_importance.tmep: no published profile of 'flights' has a feature of this name: did you mean 'temp'?"
    ]


def test_the_same_content_again_changes_nothing(say: Say, log: Log) -> None:
    """Applying twice says so and writes no record."""
    say("apply", "flights.toml")
    code, out, _ = say("apply", "flights.toml")
    assert (code, out) == (0, "flights, revision 1 says the same already: nothing to do\n")
    assert json.loads(say("apply", "flights.toml", "--json")[1])["published"] is False
    assert len(log.records) == 1


def test_a_change_is_the_next_revision(say: Say, log: Log) -> None:
    """It follows the newest one of its own deployment, and holds from the time that was given."""
    log.put(other("Ben"))
    log.put(next_state(None, DeploymentSettings(deployment="churn"), changed_by="ben", now_ms=9))
    code, out, _ = say("apply", "flights.toml", "--since", "2013-04-01", "--json")
    assert code == 0
    facts = json.loads(out)
    assert (facts["revision"], facts["published"], facts["since"]) == (2, True, "2013-04-01T00:00:00Z")
    assert facts["settings"]["owner"] == "Ana"
    assert states(log)[-1].since_ms == 1_364_774_400_000


def test_a_change_carries_the_revisions_before_it(say: Say, log: Log) -> None:
    """Compaction keeps the newest record of a deployment alone; whoever reads it then knows what held before."""
    log.put(other("Ben"))
    say("apply", "flights.toml", "--since", "2013-04-01")
    Path("flights.toml").write_text(FILE.replace("Ana", "Eve"), encoding="utf-8")
    say("apply", "flights.toml", "--since", "2013-05-01")
    before = deployments.held(Kafka(bootstrap="nowhere:1")).revisions["flights"]
    log.records = log.records[-1:]
    after = deployments.held(Kafka(bootstrap="nowhere:1")).revisions["flights"]
    assert after == before
    assert [one.revision for one in after] == [1, 2, 3]


def test_two_changes_at_once_get_a_revision_each(say: Say, log: Log) -> None:
    """Whoever comes second finds the revision taken and writes the next one."""

    def first() -> None:
        log.meanwhile = lambda: None
        log.put(other("Ben"))

    log.meanwhile = first
    code, out, _ = say("apply", "flights.toml")
    assert (code, out[:31]) == (0, "applied to flights, revision 2,")
    assert [(state.revision, state.changed_by) for state in states(log)] == [
        (1, "ben"),
        (1, "ana"),
        (2, "ana"),
    ]
    newest = deployments.held(None).states["flights"]  # type: ignore[arg-type]
    assert (newest.revision, newest.settings.owner) == (2, "Ana")


def test_a_change_on_top_of_ours_is_left_alone(say: Say, log: Log) -> None:
    """Whoever changes it right after us has seen our revision: it was taken, and is not said again."""
    log.after = lambda: log.put(other("Ben", states(log)[-1]))
    code, out, _ = say("apply", "flights.toml")
    assert (code, out[:31]) == (0, "applied to flights, revision 1,")
    assert [(state.revision, state.changed_by) for state in states(log)] == [(1, "ana"), (2, "ben")]


def test_endless_changes_by_others_end_in_one_sentence(say: Say, log: Log) -> None:
    """A command gives up at last, and says what to do."""

    def again() -> None:
        held = deployments.held(None).states.get("flights")  # type: ignore[arg-type]
        log.put(other(f"{len(log.records)}", held))

    log.meanwhile = again
    code, _, err = say("apply", "flights.toml")
    assert code == 1
    assert err == (
        "driftline: the settings of 'flights' were changed by others 5 times in between: apply them again\n"
    )


def test_a_wrong_file_publishes_nothing(say: Say, log: Log, tmp_path: Path) -> None:
    """The sentence names the file and the key that was meant."""
    (tmp_path / "flights.toml").write_text(FILE + 'ownre = "x"\n', encoding="utf-8")
    code, _, err = say("apply", "flights.toml")
    assert (code, err) == (1, "driftline: flights.toml has the unknown key ownre; did you mean owner?\n")
    assert log.records == []


def test_a_time_before_1970_publishes_nothing(say: Say, log: Log) -> None:
    """A record that readers would refuse is never written."""
    code, _, err = say("apply", "flights.toml", "--since", "1960-01-01")
    assert code == 2
    assert err.startswith("driftline: Invalid value for '--since': 1960-01-01 lies outside 1970 to 2199")
    assert log.records == []


def test_settings_that_cannot_be_read_are_not_written_over(say: Say, log: Log) -> None:
    """A newer release may have written them, and their revision is not known."""
    log.records.append((b"flights", b"\xc3\x01newer___release"))
    for words in (("apply", "flights.toml"), ("show", "flights")):
        code, _, err = say(*words)
        assert code == 1
        assert err.startswith("driftline: the settings of 'flights' cannot be read (unknown_schema: ")
        assert err.endswith("use the release of driftline that wrote them\n")
    assert len(log.records) == 1


def test_what_is_shown_can_be_applied_again(say: Say, log: Log, tmp_path: Path) -> None:
    """`show` prints a file with the same settings, and who published them when."""
    log.put(other("Ben"))
    code, out, _ = say("show", "flights")
    assert code == 0
    assert out.startswith("# revision 1, by ben, 1970-01-01T00:00:00.009Z\n# for all windows\n")
    (tmp_path / "shown.toml").write_text(out, encoding="utf-8")
    assert read_deployment(tmp_path / "shown.toml") == other("Ben").settings


def test_show_as_json_is_one_object(say: Say) -> None:
    """Programs get every setting, defaults included."""
    say("apply", "flights.toml")
    facts = json.loads(say("show", "flights", "--json")[1])
    assert (facts["revision"], facts["changed_by"], facts["since"]) == (1, "ana", None)
    assert (facts["settings"]["minimum_rows"], facts["settings"]["alerts"]["k"]) == (200, 2)


def test_an_unknown_deployment_names_the_nearest(say: Say) -> None:
    """Before there are any settings, the sentence says how they come to be."""
    assert say("show", "flihgts")[2] == (
        "driftline: no deployment has settings yet: publish some with 'driftline deployment apply FILE'\n"
    )
    say("apply", "flights.toml")
    assert say("show", "flihgts") == (
        1, "", "driftline: deployment 'flihgts' has no settings; did you mean flights?\n",
    )  # fmt: skip


def test_list_shows_one_deployment_a_line(say: Say, log: Log) -> None:
    """Names are in order; one that was taken away is gone."""
    assert say("list") == (0, "no deployment has settings yet\n", "")
    say("apply", "flights.toml")
    log.put(next_state(None, DeploymentSettings(deployment="churn"), changed_by="ben", now_ms=9))
    log.put(next_state(None, DeploymentSettings(deployment="old"), changed_by="ben", now_ms=9))
    log.records.append((b"old", None))
    code, out, _ = say("list")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()[:3]] == [
        ["deployment", "owner"], ["churn", "normal"], ["flights", "Ana"],
    ]  # fmt: skip
    lines = say("list", "--json")[1].splitlines()
    assert [json.loads(line)["deployment"] for line in lines] == ["churn", "flights"]


def test_list_tells_what_cannot_be_read(say: Say, log: Log) -> None:
    """One bad record hides no other, and the command fails."""
    say("apply", "flights.toml")
    log.records.append((b"broken", b"nonsense"))
    code, out, err = say("list", "--json")
    assert code == 1
    assert json.loads(out)["deployment"] == "flights"
    assert err.startswith("driftline: the settings of 'broken' cannot be read: bad_magic")


def test_without_a_setting_the_user_of_the_system_did_it(
    say: Say, log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No variable such as USER can say otherwise; a user without a name is asked for one."""
    monkeypatch.delenv("DRIFTLINE_OPERATOR_NAME")
    monkeypatch.setenv("USER", "somebody")
    say("apply", "flights.toml")
    assert states(log)[0].changed_by == pwd.getpwuid(os.geteuid()).pw_name
    monkeypatch.setattr(operator.os, "geteuid", lambda: 2**31 - 7)
    code, _, err = say("apply", "flights.toml")
    assert code == 1
    assert err == (
        "driftline: user 2147483641 has no name on this machine: say who you are with DRIFTLINE_OPERATOR_NAME\n"
    )
