"""What a connection from the pool and a transaction cost over psycopg alone."""

from __future__ import annotations

import psycopg

from storage.session import Store, driver_url
from tests.benchmarks import Ratio, seconds


def measure(url: str, *, quick: bool = False) -> list[Ratio]:
    """A read and a transaction, each through the store and on a bare connection."""
    store = Store(url, pool_size=2)
    rounds = 200 if quick else 1500

    def nothing() -> None:
        with store.connection():
            pass

    def read() -> None:
        with store.connection() as connection:
            connection.execute("SELECT 1").fetchone()

    def write() -> None:
        with store.transaction() as session:
            session.raw.execute("SELECT 1")

    with psycopg.connect(driver_url(url), autocommit=True) as bare:

        def bare_read() -> None:
            bare.execute("SELECT 1").fetchone()

        def bare_write() -> None:
            with bare.transaction():
                bare.execute("SELECT 1")

        one_read, one_write = seconds(bare_read, rounds), seconds(bare_write, rounds)
        found = [
            Ratio("check a connection out and in (bare: a read)", seconds(nothing, rounds), one_read),
            Ratio("read", seconds(read, rounds), one_read),
            Ratio("transaction with one statement", seconds(write, rounds), one_write),
        ]
    store.close()
    return found
