"""When the planner looks at a table again: as soon as half of it is new, and not before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from storage.plans import look_again
from storage.session import Store

NAME = "test_growing"


@pytest.fixture
def growing(store: Store) -> Iterator[Store]:
    with store.connection() as connection:
        # Whoever looks after tables by themselves must not come in between.
        connection.execute(f"CREATE TABLE {NAME} (n int) WITH (autovacuum_enabled = false)".encode())
    yield store
    with store.connection() as connection:
        connection.execute(f"DROP TABLE {NAME}".encode())


def looks(store: Store, more: int) -> int:
    """Add rows to the table, and tell how often the planner has looked at it then."""
    with store.connection() as connection:
        connection.execute(f"INSERT INTO {NAME} SELECT generate_series(1, {more})".encode())
        look_again(connection, [NAME])
        counted = "SELECT analyze_count FROM pg_stat_user_tables WHERE relname = %s"
        found = connection.execute(counted, (NAME,)).fetchone()
    assert found is not None
    return found[0]


def test_a_table_is_looked_at_again_when_half_of_it_is_new(growing: Store) -> None:
    assert [looks(growing, more) for more in (900, 1100, 1500, 1500, 1500, 4000)] == [0, 1, 1, 2, 2, 3]
