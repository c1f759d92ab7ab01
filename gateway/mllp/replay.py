"""Messages of the store applied once more: one or many, in the order in which they came, perhaps for show.

A message that waits is taken up where it was left. Any other gets an entry of its own, marked as a replay:
what was answered to the sender, and why it failed, stay as they were. A dry run is the replay itself, in one
transaction that is undone at its end.
HL7 v2.5.1, section 2.9 (message processing rules):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

from gateway import audit, errors
from gateway.difference import Difference, differences
from gateway.mllp.modes import ORIGINAL
from gateway.mllp.receive import Case, Receiver
from storage import journal, messages, outbox, peers
from storage.model.ledger import AuditEvent

if TYPE_CHECKING:
    from gateway.records import Caller, Records
    from gateway.unit import Unit
    from storage.peers import Peer
    from storage.session import Session

Row = dict[str, Any]

MOST = 1000
"""So many messages are replayed at once."""
MOST_REHEARSED = 200
"""Of so many a dry run is made: what it touches is locked until it ends."""
ROLES = ("admin", "system")
"""Who replays messages, of those who have an account."""


@dataclass(frozen=True)
class Changed:
    """A version that a message made of a resource (``Patient/1``): create, update or delete, and in what it
    differs from the one before.
    """

    resource: str
    action: str
    version: int
    differences: list[Difference]


@dataclass(frozen=True)
class Outcome:
    """What came of a message that was to be replayed: its new entry and how that stands, and what it changed.

    ``skipped`` tells why it was not replayed; then the entry is the message's own.
    """

    message_id: UUID
    entry: Row
    skipped: str | None = None
    changes: list[Changed] = field(default_factory=list[Changed])

    @property
    def is_done(self) -> bool:
        """Whether it is applied now, or on its way out."""
        return self.skipped is None and self.entry["status"] not in messages.FAILED


class _Undone(Exception):
    """The end of a dry run: all that it did is undone."""


def choose(records: Records, asked: messages.Asked, limit: int = MOST) -> list[UUID]:
    """Return the messages that filters leave, the oldest first (``storage.messages.FILTERS``, ``state``)."""
    with records.store.connection() as connection:
        return messages.chosen(connection, asked, limit)


def replay(
    records: Records, caller: Caller, keys: Sequence[UUID], *, dry_run: bool = False, only_known: bool = False
) -> list[Outcome]:
    """Replay messages by id, in the given order, each in a transaction of its own; return what came of them.

    A dry run changes nothing and returns what would come of them, one after the other. Raises Forbidden for
    accounts that may not, NotFound for an id that no message has, UnsupportedParameterValue for too many.
    """
    most = MOST_REHEARSED if dry_run else MOST
    if len(keys) > most:
        raise errors.UnsupportedParameterValue(f"At most {most} messages at once.", expression="limit")
    _see_may_replay(records, caller, keys, dry_run=dry_run)
    by = caller.user or "system"
    if not dry_run:
        return _Replay(records, by, only_known).all(keys)
    found: list[Outcome] = []

    def attempt(session: Session) -> None:
        found[:] = _Replay(records.within(session), by, only_known).all(keys)
        raise _Undone

    with suppress(_Undone):
        records.store.run(attempt)
    return found


def _see_may_replay(records: Records, caller: Caller, keys: Sequence[UUID], *, dry_run: bool) -> None:
    """See that a caller may replay messages, and tell of it in the audit trail. Raises Forbidden."""

    def work(unit: Unit) -> None:
        if unit.role is not None and unit.role not in ROLES:
            raise errors.Forbidden(f"Messages are replayed by the roles {' and '.join(ROLES)} only.")
        told = {"replayed": [str(key) for key in keys], "dry_run": dry_run}
        unit.writer.add(AuditEvent, audit.event(unit, "E", None, detail=told))
        unit.flush()

    records.unit(caller, work)


class _Replay:
    """Replays messages over records: those of the database, or those that a transaction sees."""

    def __init__(self, records: Records, by: str, only_known: bool) -> None:
        self.records = records
        self.receiver = Receiver(records, only_known=only_known)
        self.by = by

    def all(self, keys: Sequence[UUID]) -> list[Outcome]:
        """Replay messages in the given order."""
        rows = [self._row(key) for key in keys]
        return [self._one(row) for row in rows]

    def _row(self, key: UUID) -> Row:
        with self.records.store.connection() as connection:
            found = messages.one(connection, key)
        if found is None:
            raise errors.NotFound(f"There is no message {key}.", expression="id")
        return found

    def _one(self, row: Row) -> Outcome:
        # It may have been finished, or replayed, while others before it were.
        row = self._row(row["id"])
        skipped = unfit(row)
        if skipped is not None:
            return Outcome(row["id"], row, skipped)
        key = self._send_again(row) if row["direction"] == "out" else self._apply(row)
        entry = self._row(key)
        with self.records.store.connection() as connection:
            made = messages.changes(connection, key)
        return Outcome(row["id"], entry, changes=[changed(version) for version in made])

    def _send_again(self, row: Row) -> UUID:
        with self.records.store.connection() as connection:
            outbox.send_again(connection, [row["id"]])
        return row["id"]

    def _apply(self, row: Row) -> UUID:
        """Apply a message that came in; return the entry that tells what came of it."""
        case = self._case(row)
        if row["status"] == "received":
            self.receiver.replay(replace(case, id=row["id"]))
            return row["id"]
        with self.records.store.connection() as connection:
            entry = journal.enter(connection, case.arrival)
        if entry.status == "received":
            self.receiver.replay(replace(case, id=entry.id))
            return entry.id
        # The same message came again since, and was applied: this replay is noted as its repeat.
        return case.arrival.id

    def _case(self, row: Row) -> Case:
        """Return a message as if it came now, of the peer that it came from, as that is known today."""
        made = self.receiver.arrive(row["raw"], row["remote_addr"] or "", known=self._peer(row))
        told = {"replay_of_id": row["id"], "replayed_by": self.by[:255]}
        if row["status"] == "applied":
            told["duplicate_of_id"] = row["id"]
        made.arrival.header.update(told)
        return replace(made, mode=ORIGINAL)

    def _peer(self, row: Row) -> Peer | None:
        with self.records.store.connection() as connection:
            known = peers.listed(connection)
        return next((peer for peer in known if peer.id == row["peer_id"] and peer.is_active), None)


def unfit(row: Row) -> str | None:
    """Return why a message cannot be replayed, None if it can."""
    if row["direction"] == "out":
        return None if row["status"] == "dead" else "It is on its way, or was taken."
    if row["status"] == "duplicate":
        return f"It repeats the message {row['duplicate_of_id']}, which was applied."
    # What is read has an attempt behind it, or one to come.
    if row["attempts"] == 0 and row["status"] != "received":
        return "Only a part of it is here."
    return None


def changed(version: Row) -> Changed:
    """Return a version that a message made, as it is told of."""
    resource = f"{version['resource_type']}/{version['fhir_id']}"
    found = differences(version["before"], version["after"])
    return Changed(resource, version["op"], version["version"], found)
