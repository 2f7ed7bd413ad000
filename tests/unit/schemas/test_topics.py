"""The table of topics keeps what the other promises rest on."""

from __future__ import annotations

import pytest

from driftline.schemas import codec
from driftline.schemas.topics import TOPICS, changelog_config, topic

DAY_MS = 86_400_000


def test_predictions_and_labels_meet_in_one_worker() -> None:
    """Both have the same key and, whatever the setting, the same number of partitions."""
    one, two = topic("predictions"), topic("labels")
    assert one.key == two.key
    for count in (1, 4, 12):
        assert one.partition_count(count) == two.partition_count(count) == count


@pytest.mark.parametrize("name", ["predictions", "labels", "deployment-control", "acks", "audit"])
def test_the_broker_stamps_what_must_not_be_dated_back(name: str) -> None:
    """Records whose time is evidence carry the broker's."""
    assert topic(name).config["message.timestamp.type"] == "LogAppendTime"


@pytest.mark.parametrize("name", ["profiles", "deployment-state"])
def test_tables_are_compacted(name: str) -> None:
    """Topics that are read as tables keep the newest record of each key for ever."""
    assert topic(name).config["cleanup.policy"] == "compact"
    assert topic(name).config["retention.ms"] == "-1"


def test_the_audit_is_kept_whole_for_ever() -> None:
    """`audit` is neither compacted nor does it expire."""
    assert topic("audit").config["cleanup.policy"] == "delete"
    assert topic("audit").config["retention.ms"] == "-1"


def test_a_dead_letter_holds_any_message_it_may_have_to() -> None:
    """dead-letter takes larger messages than the topics it serves, and the record around them."""
    sources = max(topic(name).max_message_bytes for name in ("predictions", "labels"))
    assert topic("dead-letter").max_message_bytes > codec.max_bytes("DeadLetter") > 2 * sources


@pytest.mark.parametrize(
    ("name", "record_type"),
    [
        ("predictions", "PredictionBatch"),
        ("predictions", "Prediction"),
        ("labels", "LabelBatch"),
        ("emitter-status", "EmitterStatus"),
        ("profiles", "Profile"),
        ("windows", "WindowResult"),
        ("alerts", "Alert"),
        ("dead-letter", "DeadLetter"),
    ],
)
def test_a_record_within_its_bound_fits_its_topic(name: str, record_type: str) -> None:
    """The broker takes the largest record that the codec lets pass, with a key and headers."""
    assert topic(name).max_message_bytes > codec.max_bytes(record_type) + 10_000


def test_names_are_unique_and_an_unknown_one_is_named() -> None:
    """A topic is found by its name; an unknown name lists the ones there are."""
    assert len({each.name for each in TOPICS}) == len(TOPICS) == 12
    with pytest.raises(LookupError, match="'prediction'; there are predictions, labels"):
        topic("prediction")


def test_changelogs_keep_every_value_for_a_day() -> None:
    """A worker that recovers finds the values another one wrote meanwhile."""
    assert int(changelog_config()["min.compaction.lag.ms"]) == DAY_MS
