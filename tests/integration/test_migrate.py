from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from sqlalchemy import exc

from storage import migrate


def test_an_empty_database_comes_to_the_newest_revision(empty_database_url: str) -> None:
    assert migrate.head() is not None
    assert migrate.current(empty_database_url) is None
    migrate.upgrade(empty_database_url)
    assert migrate.current(empty_database_url) == migrate.head()


def test_gateways_that_start_together_migrate_once(empty_database_url: str) -> None:
    with ThreadPoolExecutor(4) as gateways:
        for done in [gateways.submit(migrate.upgrade, empty_database_url) for _ in range(4)]:
            done.result(120)
    assert migrate.current(empty_database_url) == migrate.head()


def test_a_migrated_database_is_left_alone(database_url: str) -> None:
    statement = "SELECT pg_current_xact_id_if_assigned(), (SELECT max(oid::int8) FROM pg_class)"
    with psycopg.connect(database_url) as connection:
        before = connection.execute(statement).fetchone()
    migrate.upgrade(database_url)
    with psycopg.connect(database_url) as connection:
        assert connection.execute(statement).fetchone() == before


def test_a_database_that_is_not_there_is_an_error() -> None:
    with pytest.raises(exc.OperationalError):
        migrate.upgrade("postgresql://nobody@127.0.0.1:1/none?connect_timeout=2")
