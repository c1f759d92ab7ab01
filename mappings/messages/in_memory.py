"""Messages applied to records in memory alone: what a file would do to an empty gateway, without a database.

https://hl7.org/fhir/uv/v2mappings/2024Sep/mapping_guidelines.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from mappings import resource
from mappings.messages.handlers import HANDLERS
from mappings.messages.workspace import Desk, MessageRefused
from mappings.resources import REGISTRY
from storage.model.shared import Identifier, PersonName, Reference

if TYPE_CHECKING:
    from mappings.convert import NewId
    from mappings.element import V2Context
    from mappings.er7 import Message
    from mappings.messages.coverage import Coverage, Warned
    from storage.record import Apart, Record


@dataclass(frozen=True)
class _Author:
    """When messages are applied."""

    at: datetime


class InMemory:
    """The records that messages have made so far, as a handler's workspace; those of the message in hand are
    found by later ones alone.
    """

    def __init__(self, new_id: NewId, clock: Callable[[], datetime]) -> None:
        self.new_id = new_id
        self._clock = clock
        self.author = _Author(clock())
        self._kept: dict[UUID, Record] = {}
        self._made: dict[UUID, Record] = {}
        self._before: dict[UUID, Record] = {}

    def apply(self, message: Message, context: V2Context) -> tuple[Coverage, Warned | None]:
        """Apply a message of a type that is served; return the report of its fields, and why it is refused.

        A message that is refused changes nothing. Raises KeyError for a type that is not served.
        """
        self.author = _Author(self._clock())
        desk = Desk(self, context, message)
        try:
            HANDLERS[message.message_code, message.trigger_event](desk)
        except MessageRefused as refused:
            self._kept |= self._before
            return desk.coverage, refused.warning
        else:
            self._settle()
            return desk.coverage, None
        finally:
            self._made, self._before = {}, {}

    def records(self) -> list[Record]:
        """Return the records that there are, in the order in which they came."""
        return list(self._kept.values())

    def _settle(self) -> None:
        """Keep what the message made: references point to what is there, and columns follow from rows."""
        self._kept |= self._made
        changed = [self._kept[key] for key in {**self._made, **self._before}]
        for record in changed:
            record.resource["version"] += 1
            record.resource["last_updated"] = self.author.at
            self._point(record)
            for hook in REGISTRY[record.resource["resource_type"]].project:
                hook(record)

    def _point(self, record: Record) -> None:
        known = {
            (found.resource["resource_type"], found.resource["fhir_id"]): key
            for key, found in self._kept.items()
        }
        for row in record.all_rows(Reference):
            row["target_id"] = row["target_id"] or known.get((row["target_type"], row["target_fhir_id"]))
        for link in record.links:
            link.row[link.column] = link.row[link.column] or link.reference["target_id"]

    # --- what a handler asks for --------------------------------------------------------------------------

    def new(self, resource_type: str, fhir_id: str | None = None) -> Record:
        """Return a blank record of a new resource."""
        record = resource.blank(REGISTRY[resource_type], self.new_id)
        record.resource["fhir_id"] = fhir_id or record.resource["fhir_id"]
        self.adopt(record)
        return record

    def adopt(self, record: Record) -> None:
        """Take in a new record that was made elsewhere."""
        record.resource["created_at"] = record.resource["created_at"] or self.author.at
        self._made[record.resource["id"]] = record

    def load(self, resource_type: str, ids: Iterable[UUID]) -> list[Record]:
        """Return records by id."""
        there = self._kept | self._made
        found = [there[key] for key in dict.fromkeys(ids) if key in there]
        return self._handed([item for item in found if item.resource["resource_type"] == resource_type])

    def identified(self, resource_type: str, system: str | None, value: str) -> list[Record]:
        """Return the records that carry an identifier."""
        return self._handed(
            [record for record in self._of(resource_type) if (system, value) in _numbers(record)]
        )

    def named(self, resource_type: str, system: str | None, value: str) -> tuple[str, bool] | None:
        """Return the FHIR id of the record that carries an identifier, and whether it has a name."""
        for record in self._of(resource_type):
            if (system, value) in _numbers(record):
                return record.resource["fhir_id"], any(True for _ in record.all_rows(PersonName))
        return None

    def numbered(self, resource_type: str, value: str) -> list[Record]:
        """Return the records that carry an identifier of that value."""
        return self._handed(
            [record for record in self._of(resource_type) if any(value == has for _, has in _numbers(record))]
        )

    def referring(
        self, resource_type: str, path: str, target: UUID, apart: Apart | None = None
    ) -> list[Record]:
        """Return the records of a type that refer to a resource at a path."""
        found = (
            record
            for record in self._of(resource_type)
            if any((row["path"], row["target_id"]) == (path, target) for row in record.all_rows(Reference))
        )
        return self._handed([record for record in found if apart is None or self._is_apart(record, apart)])

    def _is_apart(self, record: Record, apart: Apart) -> bool:
        named = (row for other in self._kept.values() for row in other.all_rows(Reference))
        return not any(row["path"] in apart.to for row in record.all_rows(Reference)) and not any(
            row["path"] in apart.by and row["target_id"] == record.resource["id"] for row in named
        )

    def all_referring(self, target: UUID) -> list[Record]:
        """Return the records of whatever type that refer to a resource."""
        return self._handed(
            [
                record
                for record in self._kept.values()
                if any(row["target_id"] == target for row in record.all_rows(Reference))
            ]
        )

    def touch(self, record: Record) -> None:
        """Nothing: every record that was handed out is settled at the end."""

    def _of(self, resource_type: str) -> list[Record]:
        return [record for record in self._kept.values() if record.resource["resource_type"] == resource_type]

    def _handed(self, records: list[Record]) -> list[Record]:
        """Return records that the message may change; how they stood is noted."""
        for record in records:
            key = record.resource["id"]
            if key in self._kept and key not in self._before:
                self._before[key] = deepcopy(record)
        return records


def _numbers(record: Record) -> list[tuple[str | None, str | None]]:
    return [(row["system"], row["value"]) for row in record.rows(Identifier, None, "identifier")]
