"""Messages applied to a real database: `gateway`, which sends them and reads what came of them.

https://hl7.org/fhir/uv/v2mappings/2024Sep/
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
from psycopg import sql

from gateway.records import Caller, Records
from gateway.unit import Unit
from mappings import er7
from mappings.element import V2Context
from mappings.messages.handlers import HANDLERS
from mappings.messages.workspace import Coverage, Desk, Written
from storage.peers import STRANGER, Peer
from storage.session import Store

START = datetime(2026, 3, 1, 8, tzinfo=UTC)


@dataclass
class Applied:
    """What one message did: each written record, and the report of its fields."""

    written: list[Written]
    coverage: Coverage

    def actions(self, resource_type: str) -> list[str]:
        """What was done to the records of a type."""
        return [
            item.action for item in self.written if item.record.resource["resource_type"] == resource_type
        ]

    def codes(self) -> list[str]:
        """The conditions that were warned about, notes for people left out."""
        return sorted({warned.code for warned in self.coverage.warned if warned.code != "0"})


class Rehearsed(Exception):
    """Ends a transaction that shall not be committed."""

    def __init__(self, applied: Applied) -> None:
        super().__init__()
        self.applied = applied


def apply(unit: Unit, raw: bytes, peer: Peer = STRANGER) -> Applied:
    """Apply a message of a peer in a unit of work, as the listener does."""
    message = er7.read(raw)
    systems = {**unit.site.systems, **(peer.authorities or {})}
    desk = Desk(unit, V2Context(unit.site.zone, systems, message.version), message, peer=peer)
    HANDLERS[message.message_code, message.trigger_event](desk)
    for order, steps in desk.steps:
        unit.tell(order, steps)
    source = f"urn:uuid:{unit.new_id()}"
    for item in desk.written:
        if item.action != "matched":
            item.record.resource["meta_source"] = source
    unit.flush()
    return Applied(desk.written, desk.coverage)


@dataclass
class Gateway:
    """The records of a database, as messages and readers see them."""

    store: Store
    seconds: itertools.count[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        self.records = Records(self.store, lambda: START + timedelta(seconds=next(self.seconds)), uuid4)

    def send(self, raw: str | bytes, peer: Peer = STRANGER) -> Applied:
        """Apply a message, given as text with one segment to a line, or as bytes. Raises MessageRefused."""
        made = raw if isinstance(raw, bytes) else strip(raw).encode()
        return self.records.unit(Caller("hl7v2"), lambda unit: apply(unit, made, peer))

    def rehearse(self, raw: bytes, times: int = 1) -> Applied:
        """Apply a message so many times and take it back: returns what the last time did."""

        def work(unit: Unit) -> None:
            applied = apply(unit, raw)
            for _ in range(1, times):
                applied = apply(Unit(unit.session, unit.author, unit.new_id, unit.site), raw)
            raise Rehearsed(applied)

        try:
            self.records.unit(Caller("hl7v2"), work)
        except Rehearsed as rehearsed:
            return rehearsed.applied
        raise AssertionError("nothing was rehearsed")

    def all(self, resource_type: str) -> list[dict[str, Any]]:
        """The current versions of a type, oldest first."""
        with self.store.connection() as connection:
            rows = connection.execute(
                "SELECT v.content FROM resource r JOIN resource_version v"
                " ON v.resource_id = r.id AND v.version = r.version"
                " WHERE r.resource_type = %s AND r.deleted_at IS NULL ORDER BY r.created_at, r.id",
                [resource_type],
            ).fetchall()
        return [msgspec.json.decode(row[0]) for row in rows]

    def only(self, resource_type: str) -> dict[str, Any]:
        """The only resource of a type."""
        found = self.all(resource_type)
        assert len(found) == 1, f"{len(found)} of {resource_type}"
        return found[0]

    def row(self, table: str, key: str | UUID) -> dict[str, Any]:
        """A row by its id."""
        with self.store.connection() as connection:
            statement = sql.SQL("SELECT * FROM {} WHERE id = %s").format(sql.Identifier(table))
            cursor = connection.execute(statement, [key])
            found = cursor.fetchone()
            assert found is not None
            assert cursor.description is not None
            return dict(zip([column.name for column in cursor.description], found, strict=True))

    def steps(self, order: dict[str, Any]) -> list[tuple[str | None, str, bool]]:
        """The steps that an order took: from, to, implied."""
        with self.store.connection() as connection:
            return connection.execute(
                "SELECT from_status, to_status, implied FROM order_status_event WHERE order_id = %s"
                " ORDER BY ctid",
                [order["id"]],
            ).fetchall()


def strip(text: str) -> str:
    """Make a message of indented lines; what follows two spaces and a # on a line is a comment."""
    lines = [line.strip().partition("  #")[0].rstrip() for line in text.strip().splitlines()]
    return "\r".join(line for line in lines if line) + "\r"


@pytest.fixture
def gateway(clean: Store) -> Gateway:
    """A gateway over an empty database."""
    return Gateway(clean)
