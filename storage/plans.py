"""Plans of statements that have become bad ones, since tables have grown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from psycopg.sql import SQL, Identifier

if TYPE_CHECKING:
    from collections.abc import Iterable

    from psycopg import Connection

_OUTGROWN = """SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'public' AND relname = ANY(%s)
    AND n_mod_since_analyze >= 1000 AND n_mod_since_analyze * 2 >= n_live_tup ORDER BY relname"""


def look_again(connection: Connection[Any], tables: Iterable[str]) -> None:
    """Have those of some tables planned for anew of which half or more has come since the planner looked at
    them; not in a transaction. It would find out by itself, but a minute later.
    """
    # The server counts what a connection wrote when it pleases.
    connection.execute("SELECT pg_stat_force_next_flush()")
    outgrown = connection.execute(_OUTGROWN, (list(tables),)).fetchall()
    if outgrown:
        listed = SQL(", ").join(Identifier(row[0]) for row in outgrown)
        connection.execute(SQL("ANALYZE (SKIP_LOCKED) {}").format(listed))
