"""When what was committed is on the disk: before anybody is told, though not always before locks go."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gateway.app import new_id, now
from gateway.records import Records
from gateway.unit import Unit
from storage import journal
from storage.journal import Arrival
from storage.session import Raw, Store
from tests.fixtures.records import FHIR
from tests.unit.fhir.samples import valid


@pytest.fixture
def waiting(clean: Store, database_url: str) -> Iterator[Store]:
    """A store on whose server commits wait for the disk, as they do in service."""
    mark = "&" if "?" in database_url else "?"
    opened = Store(f"{database_url}{mark}options=-c%20synchronous_commit%3Don", pool_size=2)
    yield opened
    opened.close()


def written(connection: Raw) -> str:
    """How far the server's log has been written."""
    found = connection.execute("SELECT pg_current_wal_insert_lsn()::text").fetchone()
    assert found is not None
    return found[0]


def is_on_disk(store: Store, place: str) -> bool:
    """Whether the log is on the disk beyond a place."""
    with store.connection() as connection:
        found = connection.execute("SELECT pg_current_wal_flush_lsn() > %s::pg_lsn", [place]).fetchone()
    return found == (True,)


def arrival(name: str, **header: object) -> Arrival:
    return Arrival(new_id(), name.encode(), now(), "127.0.0.1", {"control_id": name, **header})


def test_a_hurried_transaction_is_on_the_disk_when_it_has_ended(waiting: Store) -> None:
    for _ in range(3):
        with waiting.transaction() as session:
            session.hurry()
            session.raw.execute("UPDATE number_counter SET last_value = last_value WHERE kind = 'ACC'")
            journal.keep(session.raw, arrival("kept"), journal.Verdict("error", now()))
            place = written(session.raw)
        assert is_on_disk(waiting, place)


def test_only_the_hurried_transaction_itself_does_not_wait_at_its_commit(waiting: Store) -> None:
    with waiting.transaction() as session:
        session.hurry()
        assert session.raw.execute("SHOW synchronous_commit").fetchone() == ("off",)
    with waiting.transaction() as session:
        assert session.raw.execute("SHOW synchronous_commit").fetchone() == ("on",)


def test_an_order_that_draws_numbers_is_on_the_disk_when_it_is_answered(waiting: Store) -> None:
    records = Records(waiting, now, new_id)
    places: list[str] = []

    def work(unit: Unit) -> None:
        unit.replace(unit.new("ServiceRequest"), valid("ServiceRequest"))
        unit.flush()
        assert unit.session.hurried
        places.append(written(unit.session.raw))

    records.unit(FHIR, work)
    assert is_on_disk(waiting, places[0])


def test_an_arrival_that_is_answered_at_once_is_on_the_disk_before(waiting: Store) -> None:
    with waiting.connection() as connection:
        for number in range(3):
            place = written(connection)
            journal.enter(connection, arrival(f"taken{number}", accept_raw=b"CA"))
            assert is_on_disk(waiting, place)


def test_an_arrival_changes_nothing_for_what_comes_after_it_on_its_connection(waiting: Store) -> None:
    with waiting.connection() as connection:
        journal.enter(connection, arrival("first"))
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
        assert connection.execute("SELECT status FROM hl7_message").fetchall() == [("received",)]
