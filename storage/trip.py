"""One round trip: statements that are sent together and answered together, each prepared once for each
connection.

The driver's own pipeline turns to the socket at each statement, and prepares a statement anew for each mix of
types that its values happen to have (a NULL has none); here values are sent as text, and the server knows
their types.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from datetime import datetime
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any
from uuid import UUID
from weakref import WeakKeyDictionary

from psycopg import DataError, InterfaceError
from psycopg.adapt import PyFormat, Transformer
from psycopg.errors import InvalidSqlStatementName, error_from_result
from psycopg.generators import fetch_many, send
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus

from storage.model.columns import Row

if TYPE_CHECKING:
    from psycopg import Connection
    from psycopg.pq.abc import PGconn, PGresult

Values = Sequence[bytes | None]
Asked = tuple[bytes, Values, Sequence[int], int, "Answer"]

MOST_KNOWN = 500
"""Statements that a connection keeps prepared; past that it begins anew."""

_numbers = count()
_known: WeakKeyDictionary[Connection[Any], dict[bytes, bytes]] = WeakKeyDictionary()


def forget(connection: Connection[Any]) -> None:
    """Let go of all prepared statements, as the driver does after a rollback; not in a broken transaction."""
    if _known.pop(connection, None) and not connection.closed:
        connection.execute("DEALLOCATE ALL")


def _text(value: str) -> bytes:
    if "\0" in value:
        raise DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")
    return value.encode()


_FORMS: dict[type, Callable[[Any], bytes]] = {
    str: _text,
    bytes: bytes,
    bool: {True: b"t", False: b"f"}.__getitem__,
    int: b"%d".__mod__,
    UUID: lambda value: b"%032x" % value.int,
    datetime: lambda value: str(value).encode(),
    Decimal: lambda value: str(value).encode(),
}


def on_wire(value: Any) -> bytes | None:
    """Return a value as the server reads it: bytes as they are, anything else as text."""
    if value is None:
        return None
    form = _FORMS.get(value.__class__)
    if form is not None:
        return form(value)
    made = Transformer().get_dumper(value, PyFormat.TEXT).dump(value)
    return None if made is None else bytes(made)


class Answer:
    """What the server answered to one statement; there once the trip has been made."""

    __slots__ = ("_connection", "result")

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection
        self.result: PGresult | None = None

    def _told(self) -> PGresult:
        if self.result is None:
            raise InterfaceError("the trip has not been made")
        return self.result

    @property
    def rowcount(self) -> int:
        """How many rows the statement has touched."""
        return self._told().command_tuples or 0

    def rows(self) -> list[tuple[Any, ...]]:
        """Return the rows that the statement has found."""
        return self._load(tuple)

    def dicts(self) -> list[Row]:
        """Return the rows that the statement has found, by the names of their columns."""
        told = self._told()
        if not told.ntuples:
            return []
        names = [(told.fname(place) or b"").decode() for place in range(told.nfields)]
        return self._load(lambda row: dict(zip(names, row, strict=True)))

    def _load(self, make: Callable[[Sequence[Any]], Any]) -> list[Any]:
        told = self._told()
        if not told.ntuples:
            return []
        reader = Transformer(self._connection)
        reader.set_pgresult(told)
        return reader.load_rows(0, told.ntuples, make)


class Trip:
    """Statements on their way. Their placeholders are the server's: ``$1``, ``$2``..."""

    def __init__(self, connection: Connection[Any]) -> None:
        self.connection = connection
        self._known = _known.setdefault(connection, {})
        self._waiting: list[Asked] = []

    def ask(
        self, statement: bytes, values: Values, formats: Sequence[int] | None = None, *, binary: bool = False
    ) -> Answer:
        """Add a statement with its values (as ``on_wire`` makes them).

        ``formats`` says of each value whether it is binary (1) or text (0, the default); ``binary`` asks for
        binary rows, which bytes are read from at half the cost.
        """
        answer = Answer(self.connection)
        told = formats if formats is not None else (0,) * len(values)
        self._waiting.append((statement, values, told, int(binary), answer))
        return answer

    def make(self) -> None:
        """Send all and wait for the answers; nothing is sent where nothing was asked.

        Raises what the server refuses, as psycopg's errors; the transaction is broken then.
        """
        if not self._waiting:
            return
        waiting, self._waiting = self._waiting, []
        try:
            self._go(waiting)
        except InvalidSqlStatementName:
            # The driver let go of them after a rollback that nobody told of, as of a stream that was left.
            if self.connection.pgconn.transaction_status != TransactionStatus.IDLE:
                raise
            self._known.clear()
            self._go(waiting)

    def _go(self, waiting: list[Asked]) -> None:
        if len(self._known) > MOST_KNOWN:
            forget(self.connection)
            self._known = _known.setdefault(self.connection, {})
        raw = self.connection.pgconn
        raw.enter_pipeline_mode()
        try:
            answers = self._post(raw, waiting)
            raw.pipeline_sync()
            results = self.connection.wait(_fetch(raw, len(answers)))
        finally:
            if raw.status == ConnStatus.OK:
                raw.exit_pipeline_mode()
        for answer, result in zip(answers, results, strict=True):
            if result.status == ExecStatus.FATAL_ERROR:
                for statement, *_ in waiting:
                    # Those behind the one that failed are not prepared.
                    self._known.pop(statement, None)
                raise error_from_result(result)
            if answer is not None:
                answer.result = result

    def _post(self, raw: PGconn, waiting: list[Asked]) -> list[Answer | None]:
        """Hand statements to the driver, those that are new with a PREPARE before them."""
        answers: list[Answer | None] = []
        for statement, values, formats, binary, answer in waiting:
            name = self._known.get(statement)
            if name is None:
                name = self._known[statement] = b"suture_%d" % next(_numbers)
                raw.send_prepare(name, statement)
                answers.append(None)
            raw.send_query_prepared(name, values, formats, binary)
            answers.append(answer)
        return answers


def ask(connection: Connection[Any], statement: bytes, *values: Any, binary: bool = False) -> Answer:
    """Return the answer to one statement, with values of any kind. Raises what the server refuses."""
    trip = Trip(connection)
    answer = trip.ask(statement, [on_wire(value) for value in values], binary=binary)
    trip.make()
    return answer


def _fetch(raw: PGconn, expected: int) -> Generator[Any, Any, list[PGresult]]:
    yield from send(raw)
    found: list[PGresult] = []
    for _ in range(expected + 1):
        found += yield from fetch_many(raw)
    return found[:expected]
