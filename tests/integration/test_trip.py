"""Statements that make one trip to the database: sent together, prepared once, undone together."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest

from storage import trip
from storage.session import Raw, Session, Store, Within
from storage.trip import Trip, ask, on_wire

ASKED = b"SELECT $1::text"


@pytest.fixture
def raw(clean: Store) -> Iterator[Raw]:
    with clean.connection() as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS test_trips (id int PRIMARY KEY)")
        connection.execute("TRUNCATE test_trips")
        yield connection


def prepared(connection: Raw) -> int:
    statement = "SELECT count(*) FROM pg_prepared_statements WHERE statement = %s"
    row = connection.execute(statement, [ASKED.decode()], prepare=False).fetchone()
    return row[0] if row else 0


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("text", 'Gödel\'s \\ "name"\n'),
        ("text", ""),
        ("uuid", UUID("c757873d-ec9a-4326-a141-556f43239520")),
        ("int", -7),
        ("bool", True),
        ("bool", False),
        ("numeric", Decimal("1.50")),
        ("timestamptz", datetime(2026, 3, 2, 8, 0, 0, 1, tzinfo=UTC)),
        ("text[]", ["a,b", "{}", ""]),
        ("uuid[]", [UUID(int=1), UUID(int=2)]),
        ("text", None),
    ],
)
def test_a_value_comes_back_as_it_was_sent(raw: Raw, kind: str, value: Any) -> None:
    for _ in range(2):
        found = ask(raw, f"SELECT $1::{kind}".encode(), value).rows()
        assert [(repr(told), type(told)) for (told,) in found] == [(repr(value), type(value))]


def test_bytes_are_sent_and_fetched_as_they_are(raw: Raw) -> None:
    journey = Trip(raw)
    answer = journey.ask(b"SELECT $1::bytea", (b"\0\xff\\x",), (1,), binary=True)
    journey.make()
    assert answer.rows() == [(b"\0\xff\\x",)]


def test_each_statement_has_its_own_answer(raw: Raw) -> None:
    journey = Trip(raw)
    made = journey.ask(b"INSERT INTO test_trips VALUES ($1), ($2)", (b"1", b"2"))
    read = journey.ask(b"SELECT id AS number FROM test_trips WHERE id > $1 ORDER BY 1", (b"0",))
    none = journey.ask(b"SELECT id FROM test_trips WHERE id > $1", (b"9",))
    journey.make()
    assert (made.rowcount, read.dicts(), none.dicts()) == (2, [{"number": 1}, {"number": 2}], [])


def test_a_text_with_a_nul_is_refused_before_anything_is_sent() -> None:
    with pytest.raises(psycopg.DataError):
        on_wire("a\0b")


def test_what_one_statement_is_refused_for_is_told_and_all_of_them_are_undone(clean: Store, raw: Raw) -> None:
    journey = Trip(raw)
    for number in (b"1", b"1", b"2"):
        journey.ask(b"INSERT INTO test_trips VALUES ($1)", (number,))
    with pytest.raises(psycopg.errors.UniqueViolation) as refused:
        journey.make()
    assert refused.value.diag.constraint_name == "test_trips_pkey"
    assert ask(raw, b"SELECT count(*) FROM test_trips").rows() == [(0,)]


def test_a_statement_is_prepared_once(raw: Raw) -> None:
    for _ in range(3):
        assert ask(raw, ASKED, "x").rows() == [("x",)]
    assert prepared(raw) == 1


def test_a_transaction_that_was_undone_leaves_no_statement_that_is_not_there(clean: Store) -> None:
    def work(session: Session) -> None:
        assert ask(session.raw, ASKED, "x").rows() == [("x",)]
        raise LookupError

    for _ in range(3):
        with pytest.raises(LookupError):
            clean.run(work)
        with clean.connection() as connection:
            assert ask(connection, ASKED, "y").rows() == [("y",)]
            assert prepared(connection) == 1


def test_a_part_of_a_transaction_that_was_undone_leaves_none_either(clean: Store) -> None:
    def refused(session: Session) -> None:
        ask(session.raw, b"INSERT INTO app_user (id) VALUES ($1)", "no uuid")

    with clean.transaction() as session:
        assert ask(session.raw, ASKED, "x").rows() == [("x",)]
        with pytest.raises(psycopg.DataError):
            Within(session).run(refused)
        assert ask(session.raw, ASKED, "y").rows() == [("y",)]


def test_work_is_done_again_where_the_server_has_dropped_a_prepared_statement(clean: Store) -> None:
    tries: list[int] = []

    def work(session: Session) -> str:
        tries.append(1)
        return ask(session.raw, ASKED, "x").rows()[0][0]

    assert clean.run(work) == "x"
    with clean.connection() as connection:
        connection.execute("DEALLOCATE ALL")
    assert clean.run(work) == "x"
    assert len(tries) == 3


def test_a_connection_does_not_keep_statements_without_end(raw: Raw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trip, "MOST_KNOWN", 5)
    for number in range(20):
        assert ask(raw, f"SELECT {number}".encode()).rows() == [(number,)]
    row = raw.execute("SELECT count(*) FROM pg_prepared_statements", prepare=False).fetchone()
    assert row is not None
    assert row[0] <= 7


def test_a_statement_that_the_driver_let_go_of_is_prepared_anew(clean: Store) -> None:
    with clean.connection() as connection:
        assert ask(connection, b"SELECT $1::int + 1", 1).rows() == [(2,)]
        connection.execute("DEALLOCATE ALL")
        assert ask(connection, b"SELECT $1::int + 1", 2).rows() == [(3,)]
        with pytest.raises(psycopg.errors.InvalidSqlStatementName), connection.transaction():
            connection.execute("DEALLOCATE ALL")
            ask(connection, b"SELECT $1::int + 1", 3)
