"""Interactions that name a resource by criteria instead of its id, and changes to a part of one, in a unit of
work.

What criteria find and what is then done with it cannot come apart: whoever asks for the same is kept waiting
by a lock in the database, and what was found is looked for again if it was changed before it could be locked.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from gateway import errors
from gateway.unit import Unit, mapping_of
from mappings import resource
from storage import loader, search, versions
from storage.errors import Dependents
from storage.lexical import DECODER
from storage.record import Record
from storage.search.query import Condition, Query, Token
from storage.versions import Stored

ANY_VERSION = 0
"""As ``if_match``: whichever version stands, but one must."""

MOST_DELETED = 1000
"""So many resources may go by one conditional delete."""

_ATTEMPTS = 5

Change = Callable[[dict[str, Any]], dict[str, Any]]
"""Makes of a resource the one that shall stand in its place; raises Problem where that cannot be stored."""


@dataclass(frozen=True)
class Criteria:
    """What resources must have to be meant: a query, and a text that is the same for the same criteria."""

    query: Query
    text: str

    @property
    def resource_type(self) -> str:
        """The type that is looked for."""
        return self.query.resource_type

    def claims(self) -> list[str]:
        """Return what is to be kept from others: the criteria as such, and each identifier among them, by the
        key that messages claim when they look for a resource by its number.
        """
        values = [
            value.code
            for asked in self.query.conditions
            if isinstance(asked, Condition) and asked.name == "identifier" and not asked.negated
            for value in asked.values
            if isinstance(value, Token) and value.code
        ]
        return sorted({f"{self.resource_type} {value}" for value in values} | {self.text})


def see_version(old: Record | None, wanted: int | None) -> None:
    """See that a record stands at a version, or is there at all. Raises StaleVersion."""
    if wanted is None:
        return
    if wanted == ANY_VERSION:
        if old is None or old.resource["deleted_at"] is not None:
            raise errors.StaleVersion("There is no current version.")
    elif old is None:
        raise errors.StaleVersion("There is no version at all.")
    elif old.resource["version"] != wanted:
        raise errors.StaleVersion(f"The current version is {old.resource['version']}: read it and try again.")


def look(unit: Unit, criteria: Criteria, most: int = 1) -> list[Stored]:
    """Return up to ``most`` resources that criteria find, nothing locked. Raises MultipleMatches for more."""
    found = search.run(unit.session.raw, replace(criteria.query, count=most + 1)).matches
    if len(found) > most:
        told = (
            f"{criteria.text} finds more than {most} resource{'s' if most > 1 else ''}: nothing was changed."
        )
        raise errors.MultipleMatches(told)
    return found


def claim(unit: Unit, criteria: Criteria) -> None:
    """Keep others with the same criteria waiting until this unit of work has ended."""
    if unit.claims_all:
        return
    for key in criteria.claims():
        loader.claim(unit.session.raw, key)


def find(unit: Unit, criteria: Criteria, most: int = 1) -> list[Record]:
    """Return up to ``most`` records that criteria find, locked, as they are when they are locked.

    Raises MultipleMatches for more.
    """
    claim(unit, criteria)
    records: list[Record] = []
    for _ in range(_ATTEMPTS):
        found = look(unit, criteria, most)
        records = unit.load(criteria.resource_type, [stored.resource_id for stored in found])
        if [stored.version for stored in found] == [record.resource["version"] for record in records]:
            break
    return records


def create_unless(unit: Unit, criteria: Criteria, value: dict[str, Any]) -> Record | Stored:
    """Return the one resource that criteria find, as it is stored, or else a new record of a value.

    https://hl7.org/fhir/R4/http.html#ccreate. Raises MultipleMatches.
    """
    found = look(unit, criteria)
    if not found:
        claim(unit, criteria)
        found = look(unit, criteria)
    if found:
        return found[0]
    record = unit.new(criteria.resource_type)
    return resource.read(mapping_of(criteria.resource_type), value, unit.new_id, record)


def update(
    unit: Unit, resource_type: str, fhir_id: str, value: dict[str, Any], if_match: int | None = None
) -> tuple[Record, bool]:
    """Return the record of an id with a value in its place, and whether it is new (or lives again).

    https://hl7.org/fhir/R4/http.html#update. Raises StaleVersion.
    """
    old = unit.seek(resource_type, fhir_id)
    see_version(old, if_match)
    if old is None:
        record = unit.new(resource_type, fhir_id)
        return resource.read(mapping_of(resource_type), value, unit.new_id, record), True
    return unit.replace(old, value), old.resource["deleted_at"] is not None


def update_matching(
    unit: Unit, criteria: Criteria, value: dict[str, Any], if_match: int | None = None
) -> tuple[Record, bool]:
    """Return the record that criteria find with a value in its place, or a new one; and whether it is new.

    https://hl7.org/fhir/R4/http.html#cond-update. An id of the value must be that of what is found; where
    nothing is, it is the id of the new resource, which no other may have: what is there under it is not what
    was asked for. Raises MultipleMatches, BadRequest, Conflict, StaleVersion.
    """
    fhir_id: str | None = value.get("id")
    found = find(unit, criteria)
    if found:
        old = found[0]
        see_version(old, if_match)
        if fhir_id is not None and fhir_id != old.resource["fhir_id"]:
            told = f"{criteria.text} finds {old.resource['fhir_id']}, but the id of the body is {fhir_id}."
            raise errors.BadRequest(told, expression=f"{criteria.resource_type}.id")
        return unit.replace(old, value), False
    see_version(None, if_match)
    if fhir_id is not None:
        standing = unit.seek(criteria.resource_type, fhir_id)
        if standing is not None and standing.resource["deleted_at"] is None:
            told = f"{criteria.resource_type}/{fhir_id} is there, but {criteria.text} does not find it."
            raise errors.Conflict(told, expression=f"{criteria.resource_type}.id")
        return update(unit, criteria.resource_type, fhir_id, value)
    record = unit.new(criteria.resource_type)
    return resource.read(mapping_of(criteria.resource_type), value, unit.new_id, record), True


def patch(unit: Unit, record: Record, change: Change, if_match: int | None = None) -> Record:
    """Return a loaded live record, changed. Raises StaleVersion, and what ``change`` raises."""
    see_version(record, if_match)
    head = record.resource
    standing = versions.current(unit.session.raw, head["resource_type"], head["fhir_id"])
    if standing is None or standing.content is None:
        raise errors.Deleted(f"{head['resource_type']}/{head['fhir_id']} was deleted.")
    changed = unit.replace(record, change(DECODER.decode(standing.content)))
    unit.touch(changed, "patch")
    return changed


def patch_matching(unit: Unit, criteria: Criteria, change: Change, if_match: int | None = None) -> Record:
    """Return the one record that criteria find, changed: https://hl7.org/fhir/R4/http.html#patch.

    Raises NotFound, MultipleMatches, StaleVersion, and what ``change`` raises.
    """
    found = find(unit, criteria)
    if not found:
        raise errors.NotFound(f"{criteria.text} finds nothing.")
    return patch(unit, found[0], change, if_match)


def delete_matching(unit: Unit, criteria: Criteria, if_match: int | None = None) -> list[Stored]:
    """Delete all that criteria find, or nothing at all: https://hl7.org/fhir/R4/http.html#3.1.0.7.1.

    Returns the versions that tell of the deletions. Raises MultipleMatches where there are more than
    MOST_DELETED, or more than one with ``if_match``; StaleVersion; Dependents where others belong to them.
    """
    found = find(unit, criteria, MOST_DELETED if if_match is None else 1)
    for record in found:
        see_version(record, if_match)
    gone: list[Stored] = []
    while found:
        # What belongs to another of them goes first.
        held = [told for record in found if (told := _refusal(unit, record)) is not None]
        if len(held) == len(found):
            raise Dependents(sum(refusal.count for _, refusal in held))
        gone += unit.flush().values()
        found = [record for record, _ in held]
    return gone


def _refusal(unit: Unit, record: Record) -> tuple[Record, Dependents] | None:
    """Delete a record; return why it cannot be."""
    try:
        unit.delete(record)
    except Dependents as refusal:
        return record, refusal
    return None
