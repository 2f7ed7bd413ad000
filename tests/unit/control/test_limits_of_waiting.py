"""How long a command waits for approvals: as long as the controller's settings say of its tier, 72 h at most."""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Final

import pytest
from clerked import Room
from office import Office, code, shadowed
from office_audit import lines, rebuilt
from prometheus_client import CollectorRegistry
from signed import model

from driftline.agents.audit.record import AuditRecord, Link
from driftline.agents.control.controller import service
from driftline.agents.control.ended import Ended
from driftline.agents.control.pending import LIMIT_MS, LIMITS_MS
from driftline.deploy.cli import controller
from driftline.schemas.control.serving_state import TIERS, Tier
from driftline.schemas.settings import Control, Settings, SettingsError, load
from driftline.streams.processors import service as metrics_service

HOUR_MS: Final = 3_600_000
LIMITS: Final[dict[Tier, int]] = {"low": HOUR_MS, "medium": 6 * HOUR_MS, "high": HOUR_MS // 2}


@pytest.mark.parametrize("tier", TIERS)
def test_a_command_waits_as_long_as_its_tier_says(tier: Tier) -> None:
    """At its limit it waits, a ms later it is `approvals_missing` and no approval helps; agents hear that it lapsed."""
    office = Office(tier, limits_ms=LIMITS)
    office.registered("1")
    asked = office.ask("forget", "sue", target="p-1")
    assert (asked.event, asked.until_ms - asked.at_ms) == ("waits", LIMITS[tier])
    office.now_ms += LIMITS[tier]
    assert office.desk.lapse(office.now_ms) == []
    office.now_ms += 1
    (lapsed,) = office.desk.lapse(office.now_ms)
    office.told.append(lapsed)
    assert (lapsed.event, code(lapsed), lapsed.digest) == ("lapsed", "approvals_missing", asked.digest)
    assert lapsed.refusal is not None
    assert lapsed.refusal.sentence == f"it waited {LIMITS[tier] / HOUR_MS:g} h for approvals"
    assert code(office.approve(asked, "bob")) == "precondition_failed"
    ended = Ended()
    for data in lines(office):
        ended.take(Link.from_bytes(data).event, data)
    assert asked.digest in ended.digests


def test_of_a_deployment_that_nobody_knows_a_command_waits_as_the_strictest_tier_does() -> None:
    """Without a model no tier is known, and what nobody knows is of the strictest."""
    asked = Office("low", limits_ms=LIMITS).ask("forget", "sue", target="p-1")
    assert (asked.event, asked.until_ms - asked.at_ms) == ("waits", LIMITS["high"])


def test_an_approval_that_is_not_enough_lets_nothing_wait_longer() -> None:
    """The time runs from when it was found to wait, however many approve since."""
    office = Office("high", limits_ms=LIMITS)
    office.registered("1")
    asked = office.ask("create", "ann", model=model("1"))
    office.now_ms += LIMITS["high"] - 1
    assert office.approve(asked, "bob").event == "approved"
    (waiting,) = office.desk.book
    assert waiting.until_ms == asked.until_ms
    office.now_ms += 2
    assert [one.event for one in office.desk.lapse(office.now_ms)] == ["lapsed"]


def test_until_when_it_waits_stands_in_the_audit() -> None:
    """A desk of other settings that reads the audit, such as a person's, says the same; so does the next controller."""
    office = Office("medium", limits_ms=LIMITS)
    office.created()
    office.ask("forget", "sue", target="p-1")
    (read,) = rebuilt(map(AuditRecord.from_bytes, lines(office)), office.look).book
    assert read.until_ms == office.now_ms + LIMITS["medium"]

    room = Room()
    room.limits_ms = LIMITS
    room.crash()
    room.registered("1")
    room.ask("forget", "sue", target="p-1")
    room.limits_ms = dict.fromkeys(TIERS, 1)
    room.crash()
    assert room.state is not None
    (waiting,) = room.clerk.ledger.desk.book
    assert waiting.until_ms == room.now_ms + LIMITS[room.state.tier]
    room.now_ms = waiting.until_ms
    assert room.turn() == []
    room.now_ms += 1
    assert [(one.event, one.reject) for one in room.turn()] == [("lapsed", "approvals_missing")]


def test_where_nothing_is_said_every_tier_waits_as_long_as_agents_believe() -> None:
    """The default of the settings, and the most that they allow, is the bound that agents know."""
    assert Control().approval_ms == LIMITS_MS == dict.fromkeys(TIERS, LIMIT_MS)
    asked = shadowed().ask("promote", "ann", model=model("2"))
    assert asked.until_ms - asked.at_ms == LIMIT_MS


@pytest.mark.parametrize(
    ("tier", "hours"), [("low", "0"), ("medium", "nan"), ("high", "72.5"), ("high", "long")]
)
def test_no_setting_lets_a_command_wait_longer_than_agents_believe(tier: Tier, hours: str) -> None:
    """No hours, more than 72 or none at all are refused in one sentence."""
    name = f"DRIFTLINE_CONTROL_APPROVAL_HOURS_{tier.upper()}"
    with pytest.raises(SettingsError) as found:
        load({name: hours})
    assert str(found.value) == f"{name} is {hours!r}; it must be a number of hours above 0, at most 72"


def test_the_command_hands_its_settings_to_the_controller(monkeypatch: pytest.MonkeyPatch) -> None:
    """What control.approval_hours_* say is what every tenure begins with."""
    control = Control(
        genesis="ab" * 32, approval_hours_low=1.0, approval_hours_medium=6.0, approval_hours_high=0.5
    )
    held = SimpleNamespace(limits_ms=None)
    monkeypatch.setattr(controller, "settings_of_stack", lambda _role: Settings(control=control))
    monkeypatch.setattr(controller, "_keys", lambda _settings: None)
    monkeypatch.setattr(controller, "log_to_stderr", lambda: None)
    monkeypatch.setattr(metrics_service, "served_metrics", lambda _worker: nullcontext(CollectorRegistry()))
    monkeypatch.setattr(service, "serve", lambda setup, *_rest: setattr(held, "limits_ms", setup.limits_ms))
    controller.command.main([], standalone_mode=False)
    assert held.limits_ms == LIMITS
