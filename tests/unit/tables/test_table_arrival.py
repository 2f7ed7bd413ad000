"""What is said of rows on their way."""

from __future__ import annotations

from driftline.deploy.tables.arrival import Arrival, wait


def test_nothing_is_on_its_way_when_all_is_stored_and_counted() -> None:
    """Stored and counted at every resolution is complete."""
    arrival = Arrival(sent=10, stored=10, version_rows=30, counted={"1h": 30, "1d": 30})
    assert arrival.is_complete
    assert arrival.on_the_way() == ""


def test_late_rows_are_not_waited_for() -> None:
    """Rows whose windows had closed await restatement, not the end of `emit`."""
    assert Arrival(sent=10, stored=10, version_rows=30, counted={"1d": 28}, late=2).is_complete


def test_only_the_rows_of_this_emit_are_said_to_be_late() -> None:
    """Rows that were late before are the version's, not this emitter's."""
    assert Arrival(sent=10, late=12, late_before=5).came_late == 7


def test_what_is_missing_is_said_by_place() -> None:
    """Rows not stored and rows not counted are told apart, by resolution."""
    said = Arrival(sent=10, stored=4, version_rows=30, counted={"1h": 30, "1d": 20}).on_the_way()
    assert "6 of 10 rows are not in ClickHouse yet" in said
    assert "10 rows are in no published 1d window yet" in said
    assert "1h" not in said


def test_a_database_that_does_not_answer_is_what_is_said() -> None:
    """When ClickHouse is away its sentence is the reason."""
    assert Arrival(sent=1, answer="ClickHouse at h:1 does not answer").on_the_way().startswith("ClickHouse")


def test_waiting_ends_when_all_has_arrived_or_the_bound_passes() -> None:
    """The last answer is given, complete or not."""
    answers = iter([Arrival(sent=1), Arrival(sent=1, stored=1)])
    told: list[Arrival] = []
    assert wait(lambda: next(answers), 10, told.append).is_complete
    assert len(told) == 2
    assert not wait(lambda: Arrival(sent=1), 0).is_complete
