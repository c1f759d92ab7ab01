from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal

import psycopg
import pytest
from psycopg.types.json import Json
from sqlalchemy import exc

from storage.lexical import decimal_of
from storage.session import Session, Store, driver_url, normalise_url, sqlstate


@pytest.fixture
def numbers(clean: Store) -> Store:
    with clean.connection() as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS test_numbers (id int PRIMARY KEY, n int, doc json)")
        connection.execute("TRUNCATE test_numbers")
        connection.execute("INSERT INTO test_numbers (id, n) VALUES (1, 0), (2, 0)")
    return clean


def number(store: Store, key: int) -> int | None:
    with store.connection() as connection:
        row = connection.execute("SELECT n FROM test_numbers WHERE id = %s", [key]).fetchone()
    return row[0] if row else None


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_each_spelling_of_the_scheme_is_taken(scheme: str) -> None:
    assert normalise_url(f"{scheme}://u:p@h/d") == "postgresql+psycopg://u:p@h/d"
    assert driver_url(f"{scheme}://u:p@h/d") == "postgresql://u:p@h/d"


@pytest.mark.parametrize("url", ["mysql://h/d", "sqlite:///x", "h/d", ""])
def test_another_database_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="postgresql://"):
        normalise_url(url)


def test_a_transaction_is_seen_by_others_only_when_it_ends(numbers: Store) -> None:
    with numbers.transaction() as session:
        session.raw.execute("UPDATE test_numbers SET n = 5 WHERE id = 1")
        assert number(numbers, 1) == 0
    assert number(numbers, 1) == 5


def test_a_transaction_that_raises_leaves_nothing(numbers: Store) -> None:
    with pytest.raises(ZeroDivisionError), numbers.transaction() as session:
        session.raw.execute("UPDATE test_numbers SET n = 5 WHERE id = 1")
        raise ZeroDivisionError
    assert number(numbers, 1) == 0


def test_reads_hold_no_transaction_open(numbers: Store) -> None:
    with numbers.connection() as connection:
        connection.execute("SELECT 1")
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE


def test_json_keeps_the_spelling_of_decimals(numbers: Store) -> None:
    with numbers.transaction() as session:
        doc = Json({"value": Decimal("1.50"), "dose": decimal_of("1e2"), "count": 3})
        session.raw.execute("UPDATE test_numbers SET doc = %s WHERE id = 1", [doc])
    with numbers.connection() as connection:
        row = connection.execute("SELECT doc, doc::text FROM test_numbers WHERE id = 1").fetchone()
    assert row == (
        {"value": Decimal("1.50"), "dose": Decimal(100), "count": 3},
        '{"value":1.50,"dose":1e2,"count":3}',
    )
    assert row is not None
    assert str(row[0]["dose"]) == "1e2"


def test_connections_speak_utc_and_give_up_in_the_end(store: Store) -> None:
    with store.connection() as connection:
        names = ("TimeZone", "statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        found = [connection.execute("SELECT current_setting(%s)", [name]).fetchone() for name in names]
    assert found == [("UTC",), ("1min",), ("15s",), ("1min",)]


def test_work_that_meets_a_deadlock_is_done_again(numbers: Store) -> None:
    meet = threading.Barrier(2)
    runs: list[int] = []

    def work(first: int, second: int) -> Callable[[Session], None]:
        def both(session: Session) -> None:
            session.raw.execute("UPDATE test_numbers SET n = n + 1 WHERE id = %s", [first])
            runs.append(first)
            if runs.count(first) == 1:
                meet.wait(10)
            session.raw.execute("UPDATE test_numbers SET n = n + 1 WHERE id = %s", [second])

        return both

    threads = [threading.Thread(target=numbers.run, args=[work(*pair)]) for pair in ((1, 2), (2, 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert (number(numbers, 1), number(numbers, 2)) == (2, 2)
    assert len(runs) >= 3, "one of the two was the victim"


@pytest.mark.parametrize("state", ["40001", "40P01"])
def test_work_is_given_up_after_the_last_attempt(numbers: Store, state: str) -> None:
    runs: list[None] = []

    def conflict(session: Session) -> None:
        runs.append(None)
        session.raw.execute(f"DO $$ BEGIN RAISE EXCEPTION SQLSTATE '{state}'; END $$".encode())

    with pytest.raises(psycopg.Error) as caught:
        numbers.run(conflict, attempts=3)
    assert sqlstate(caught.value) == state
    assert len(runs) == 3


def test_other_errors_are_raised_at_once(numbers: Store) -> None:
    runs: list[None] = []

    def twice_the_same_key(session: Session) -> None:
        runs.append(None)
        session.raw.execute("INSERT INTO test_numbers (id) VALUES (1)")

    with pytest.raises(psycopg.errors.UniqueViolation):
        numbers.run(twice_the_same_key)
    assert len(runs) == 1


def test_what_the_work_returns_comes_back(numbers: Store) -> None:
    assert numbers.run(lambda session: session.raw.execute("SELECT 42").fetchone()) == (42,)


def test_connections_that_the_server_ended_are_replaced_unseen(database_url: str) -> None:
    store = Store(database_url, pool_size=2)
    with store.connection() as one, store.connection() as other:
        ended = [one.info.backend_pid, other.info.backend_pid]
    with psycopg.connect(driver_url(database_url), autocommit=True) as connection:
        for pid in ended:
            connection.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    with store.connection() as one, store.connection() as other:
        assert one.execute("SELECT 1").fetchone() == (1,)
        assert other.execute("SELECT 1").fetchone() == (1,)
    store.close()


def test_a_connection_that_breaks_in_use_does_not_come_back(database_url: str) -> None:
    store = Store(database_url, pool_size=1)
    with pytest.raises(psycopg.OperationalError), store.transaction() as session:
        session.raw.execute("SELECT pg_terminate_backend(pg_backend_pid())")
    with store.connection() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    store.close()


def test_the_pool_is_bounded(database_url: str) -> None:
    store = Store(database_url, pool_size=1, wait_seconds=0.05)
    with store.connection(), pytest.raises(exc.TimeoutError), store.connection():
        pass
    store.close()
