"""Advice that is told: an event as the alerts worker's are, and the same event when it is told again."""

from __future__ import annotations

import msgspec
import pytest

from driftline.deploy.advice import telling
from driftline.schemas.advice import Advice, Reason, Word
from driftline.schemas.deployment import Contact, DeploymentSettings
from driftline.schemas.deployment_state import DeploymentState, defaults
from driftline.schemas.settings import Kafka, Settings

MONTH = Advice(
    deployment="flights", model_version="1", slot="champion", resolution="1M", window_start_ms=1_372_636_800_000,
    window_end_ms=1_375_315_200_000, advice="retrain", reasons=(Reason(code="a refit helps", sentence="It does."),),
    fell=None, gains=(), features=(), since_ms=1_372_636_800_000, labels=10, coverage=1.0, expected_per_year=None,
)  # fmt: skip
PEOPLE = (Contact(route="chat"), Contact(route="pager", severity="fail"))


class Held:
    """The settings of deployments as they are published."""

    def state(self, deployment: str) -> DeploymentState | None:
        """Give those of `flights`."""
        if deployment != "flights":
            return None
        made = DeploymentSettings(deployment="flights", contacts=PEOPLE)
        return msgspec.structs.replace(defaults("flights"), settings=made)


@pytest.fixture
def topic(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bytes, bytes]]:
    """What was put on which topic, under which key."""
    found: list[tuple[str, bytes, bytes]] = []

    def produce(_kafka: Kafka, name: str, key: bytes, value: bytes) -> int:
        found.append((name, key, value))
        return len(found) - 1

    monkeypatch.setattr(telling, "produce", produce)
    monkeypatch.setattr(telling, "held", lambda _kafka: Held())
    return found


@pytest.mark.parametrize(
    ("word", "deployment", "heard"),
    [
        ("retrain", "flights", ("chat", "pager")),
        ("watch", "flights", ("chat",)),
        ("no need", "flights", ()),
        ("retrain", "others", ()),
    ],
)
def test_it_goes_to_whom_the_settings_name(
    topic: list[tuple[str, bytes, bytes]], word: Word, deployment: str, heard: tuple[str, ...]
) -> None:
    """On the topic of alerts, keyed by the deployment: a graver word to more people, `no need` to nobody."""
    asked = msgspec.structs.replace(MONTH, advice=word, deployment=deployment)
    event = telling.tell(Settings(), asked, 1_000)
    ((name, key, value),) = topic
    assert (name, key) == ("alerts", deployment.encode())
    assert Advice.from_bytes(value) == event
    assert (event.routes, event.made_at_ms, event.advice) == (heard, 1_000, word)


def test_the_same_advice_told_again_is_the_same_event(topic: list[tuple[str, bytes, bytes]]) -> None:
    """Its id is made of what it says, whenever that is; another window, word or gain is another event."""
    first = telling.tell(Settings(), MONTH, 1_000)
    assert telling.tell(Settings(), first, 2_000).id == first.id
    other = msgspec.structs.replace(MONTH, window_start_ms=MONTH.window_start_ms - 1)
    assert telling.tell(Settings(), other, 1_000).id != first.id
    assert len(topic) == 3
