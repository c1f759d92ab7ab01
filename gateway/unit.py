"""One unit of work: the resources that one request or message reads and changes, written together or not at
all.

A unit hands out records, whoever asks: a FHIR interaction replaces one, a message fills several field by
field, the native door sets columns. What they have in common happens here, once: projections, references,
numbers, rules, versions, rendering.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from gateway import audit, errors
from gateway.rules import NOTES, RULES, RULES_OF_DELETION, SETTLED_LAST
from gateway.rules.body import Bodies
from mappings import convert, resource
from mappings.datatypes import local_target
from mappings.element import Mapping
from mappings.resources import REGISTRY
from mappings.search import index_strings
from mappings.search_quantities import index_quantities
from mappings.shape import links, shape
from mappings.workflow.orders import Step
from storage import dependents, loader, numbers
from storage.errors import Dependents
from storage.model.columns import Row
from storage.model.shared import Identifier, Reference
from storage.record import Apart, Record
from storage.session import Session
from storage.versions import Stored
from storage.writer import Author, Change, Op, Standing, Writer

NewId = Callable[[], UUID]


@dataclass
class Draft:
    """A record in work: how it stood (None for a new one), what its bytes were, and what is to be done with
    it.
    """

    mapping: Mapping
    record: Record
    op: Op
    standing: Standing | None = None
    was: Row = field(default_factory=dict[str, Any])
    """The typed row as it was loaded; empty for a new record, and for a deleted one that comes back."""
    before: bytes | None = None
    changed: bool = False
    noted: Any = None
    """What the rules of the type noted of the record as it was loaded."""
    flushed: bool = False
    """Whether this unit has written it, and another change comes on top."""
    pinned: bool = False
    """Whether references name the version that is to come: it is made even if nothing differs."""

    @property
    def anew(self) -> bool:
        """Whether the resource begins with this draft: it is new, or was deleted and comes back."""
        return not self.was


def mapping_of(resource_type: str) -> Mapping:
    """Return the mapping of a resource type; raises UnsupportedType."""
    mapping = REGISTRY.get(resource_type)
    if mapping is None:
        raise errors.UnsupportedType(f"The resource type {resource_type} is not supported.")
    return mapping


class Unit:
    """A unit of work in one transaction; ``flush`` writes what was changed."""

    def __init__(self, session: Session, author: Author, new_id: NewId, site: Site) -> None:
        self.session = session
        self.author = author
        self.new_id = new_id
        self.site = site
        self.writer = Writer(session.raw, site.unique_systems)
        self.drafts: dict[UUID, Draft] = {}
        self.role: str | None = None
        """The role of who acts, for rules that ask for one; None for whoever has no account."""
        self.practitioner: UUID | None = None
        """The practitioner who acts, as far as the account tells."""
        self.override_reason: str | None = None
        self.claims_all = False
        """Whether everybody else who looks for something by criteria is kept waiting."""
        self.apart: set[tuple[str, str]] = set()
        """Type and id of what references wait for, and of new resources for which references may wait."""
        self.told: dict[UUID, tuple[Step, ...]] = {}
        """The steps of the workflow that orders took, by the order's id, where a message has told them."""
        self.settling: UUID | None = None
        """The resource whose rules are being applied; what they refuse is a matter of it."""
        self._numbers: dict[str, list[str]] = {}
        self.patients: dict[UUID, UUID | None] = {}
        """The patients of what records refer to, by the target's id, as far as rules have asked for them."""
        self.named_here: dict[str, dict[str, str | None]] = {}
        """The references of those of whom only a name was told, by type and name, as far as looked up."""
        self.written: dict[UUID, None] = {}
        """What this unit of work has changed so far, in order, for those who are told of changes."""
        self.bodies = Bodies()
        self._walking: set[UUID] = set()
        self._after: list[Callable[[], None]] = []

    # --- getting records ---------------------------------------------------------------------------------

    def new(self, resource_type: str, fhir_id: str | None = None) -> Record:
        """Return a blank record of a new resource, to be filled; it is written at the next flush."""
        mapping = mapping_of(resource_type)
        record = resource.blank(mapping, self.new_id)
        record.resource["fhir_id"] = fhir_id or record.resource["fhir_id"]
        record.resource["created_at"] = self.author.at
        record.resource["created_by"] = self.author.actor_id
        self.adopt(record)
        return record

    def adopt(self, record: Record) -> None:
        """Take in a new record that was made elsewhere (by a mapping's own constructor)."""
        record.resource["created_at"] = record.resource["created_at"] or self.author.at
        record.resource["created_by"] = record.resource["created_by"] or self.author.actor_id
        mapping = mapping_of(record.resource["resource_type"])
        self.drafts[record.resource["id"]] = Draft(mapping, record, "create", changed=True)

    def load(self, resource_type: str, ids: Iterable[UUID]) -> list[Record]:
        """Return records by id, locked; those of this unit as they are now in work."""
        wanted = list(dict.fromkeys(ids))
        missing = [key for key in wanted if key not in self.drafts]
        mapping = mapping_of(resource_type)
        note = NOTES.get(resource_type)
        for key, (record, content) in loader.load(self.session.raw, shape(mapping), missing).items():
            noted = note(record) if note else None
            was = dict(record.main) if record.resource["deleted_at"] is None else {}
            self.drafts[key] = Draft(
                mapping, record, "update", Standing.of(record), was, content, noted=noted
            )
        return [self.drafts[key].record for key in wanted if key in self.drafts]

    def get(self, resource_type: str, fhir_id: str) -> Record:
        """Return one live record by its FHIR id, locked; raises NotFound, Deleted."""
        record = self.seek(resource_type, fhir_id)
        if record is None:
            raise errors.NotFound(f"{resource_type}/{fhir_id} is not known.")
        if record.resource["deleted_at"] is not None:
            raise errors.Deleted(f"{resource_type}/{fhir_id} was deleted.")
        return record

    def seek(self, resource_type: str, fhir_id: str) -> Record | None:
        """Return one record by its FHIR id, live or deleted, locked; None where there never was one."""
        mapping_of(resource_type)
        return self.seek_all([(resource_type, fhir_id)]).get((resource_type, fhir_id))

    def seek_all(self, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Record]:
        """Return records by type and FHIR id, live or deleted, locked; those that never were left out."""
        found = loader.find(self.session.raw, sorted(set(names)))
        by_type: dict[str, list[UUID]] = {}
        for (resource_type, _), key in found.items():
            by_type.setdefault(resource_type, []).append(key)
        for resource_type, keys in by_type.items():
            self.load(resource_type, keys)
        return {name: self.drafts[key].record for name, key in found.items()}

    def identified(self, resource_type: str, system: str | None, value: str) -> list[Record]:
        """Return the live records of a type that carry an identifier, locked."""
        asked = (self.session.raw, resource_type, system, value)
        # Where nothing is found, whoever comes at the same time must not make it twice.
        return self.load(resource_type, loader.identified(*asked) or loader.identified(*asked, claimed=True))

    def named(self, resource_type: str, system: str | None, value: str) -> tuple[str, bool] | None:
        """Return the FHIR id of the live resource that carries an identifier, and whether it has a name; None
        where there is none (``identified`` looks again under a claim before one is made).
        """
        return loader.named(self.session.raw, resource_type, system, value)

    def numbered(self, resource_type: str, value: str) -> list[Record]:
        """Return the live records of a type that carry an identifier of that value, of whatever system,
        locked.
        """
        asked = (self.session.raw, resource_type, value)
        return self.load(resource_type, loader.numbered(*asked) or loader.numbered(*asked, claimed=True))

    def claim_all(self) -> None:
        """Keep everybody else who looks by criteria waiting until this unit of work has ended."""
        loader.claim_all(self.session.raw)
        self.claims_all = True

    def referring(
        self, resource_type: str, path: str, target: UUID, apart: Apart | None = None
    ) -> list[Record]:
        """Return the live records of a type that refer to a resource at a path, locked (``loader.Apart``)."""
        return self.load(
            resource_type, loader.referring(self.session.raw, resource_type, path, target, apart)
        )

    def all_referring(self, target: UUID) -> list[Record]:
        """Return the live records of whatever type that refer to a resource, wherever in them, locked."""
        found = loader.all_referring(self.session.raw, target)
        return [record for name, ids in found.items() for record in self.load(name, ids)]

    # --- changing them -----------------------------------------------------------------------------------

    def touch(self, record: Record, op: Op = "update") -> None:
        """Say that a loaded record was changed and shall be written (if it really differs)."""
        draft = self.drafts[record.resource["id"]]
        if draft.op != "create":
            draft.op = op
        draft.changed = True

    def replace(self, old: Record, value: dict[str, Any]) -> Record:
        """Replace a loaded record by a FHIR resource; elements that the server owns stay where it leaves
        them out.
        """
        draft = self.drafts[old.resource["id"]]
        blank = resource.blank(draft.mapping, self.new_id)
        for name in ("id", "fhir_id", "version", "last_updated", "created_at", "created_by", "v2_remainder"):
            blank.resource[name] = old.resource[name]
        blank.main["id"] = old.resource["id"]
        record = resource.read(draft.mapping, value, self.new_id, blank)
        convert.carry(draft.mapping, old, record, self.new_id, anew=draft.anew)
        draft.record = record
        self.touch(record)
        return record

    def afterwards(self, work: Callable[..., None], *values: Any) -> None:
        """Do something with the connection (its first argument) once the rows of this flush are written."""
        self._after.append(partial(work, self.session.raw, *values))

    def walk(self, record: Record) -> None:
        """Say that a record was taken forward by a fact: its change is told, not asked for, and so not
        judged.
        """
        self._walking.add(record.resource["id"])
        self.touch(record)

    def walked(self, draft: Draft) -> bool:
        """Tell whether a change reports facts: made by a message, or walked."""
        return self.author.origin == "hl7v2" or draft.record.resource["id"] in self._walking

    def tell(self, record: Record, steps: tuple[Step, ...]) -> None:
        """Say which steps of the workflow an order took, after those that were told before."""
        key = record.resource["id"]
        self.told[key] = (*self.told.get(key, ()), *steps)

    def target_of(self, record: Record, path: str) -> UUID | None:
        """Return the id of the first target of a reference that is here."""
        return next(
            (row["target_id"] for row in record.rows(Reference, None, path) if row["target_id"]), None
        )

    def delete(self, record: Record) -> None:
        """Mark a loaded record as deleted. Raises Dependents where live resources still belong to it."""
        self.hold([record])
        self.see_dependents([record])
        self.mark_deleted([record])

    def hold(self, records: Iterable[Record]) -> None:
        """Keep everybody else from beginning to refer to records."""
        loader.hold(self.session.raw, [record.resource["id"] for record in records])

    def mark_deleted(self, records: Iterable[Record]) -> None:
        """Mark loaded records as deleted, whatever belongs to them now."""
        for record in records:
            record.resource["deleted_at"] = self.author.at
            self.touch(record, "delete")

    def see_dependents(self, records: Iterable[Record]) -> None:
        """See that no live resources belong to records, as far as is written. Raises Dependents."""
        by_table: dict[str, list[UUID]] = {}
        for record in records:
            by_table.setdefault(record.table.table.name, []).append(record.resource["id"])
        for table, keys in by_table.items():
            for key, hanging in dependents.counts(self.session.raw, table, keys).items():
                self.settling = key
                raise Dependents(hanging)

    def draw(self, kind: numbers.Kind, count: Callable[[], int]) -> str:
        """Return the next number of a kind; ``count`` tells how many this unit needs, which are drawn at
        once.
        """
        self.stock({kind: count})
        return self._numbers[kind].pop()

    def stock(self, wanted: dict[numbers.Kind, Callable[[], int]]) -> None:
        """See that a number of each kind is drawn, in one round trip: whoever waits for them waits for each
        trip of whoever has them.
        """
        lacking: dict[numbers.Kind, int] = {
            kind: max(1, count()) for kind, count in wanted.items() if not self._numbers.get(kind)
        }
        if lacking:
            year = self.site.year(self.author.at)
            self.session.hurry()
            for kind, drawn in numbers.draw(self.session.raw, year, lacking).items():
                self._numbers[kind] = drawn[::-1]

    def identifiers(self) -> list[tuple[str, str, str]]:
        """Return type, system, value of the identifiers of unique systems that changed records carry."""
        return [
            (row["resource_type"], row["system"], row["value"])
            for draft in self.drafts.values()
            if draft.changed
            for row in draft.record.all_rows(Identifier)
            if row["is_unique"]
        ]

    # --- writing -----------------------------------------------------------------------------------------

    def flush(self) -> dict[UUID, Stored]:
        """Write what was changed and return the new versions by id; what does not differ makes none.

        Raises Problem (rules), StorageError and psycopg's errors (constraints).
        """
        work = self._settle_all()
        for draft in work:
            self._look_again(draft)
        changes = [change for draft in work if (change := self._change(draft)) is not None]
        audit.tell(self, changes)
        if changes or self.writer.plain:
            self.writer.write(changes, self.author)
            self.written |= dict.fromkeys(change.record.resource["id"] for change in changes)
        for draft in work:
            draft.changed, draft.flushed = False, True
        while self._after:
            self._after.pop(0)()
        self._link_waiting([change.record for change in changes if change.op == "create"])
        return {
            change.record.resource["id"]: stored(change, self.author, self.site.actor) for change in changes
        }

    def _settle_all(self) -> list[Draft]:
        """Settle every changed draft, those that rules change on the way too; orders last, since others move
        them.
        """
        settled: dict[UUID, Draft] = {}
        while True:
            waiting = {
                key: draft for key, draft in self.drafts.items() if draft.changed and key not in settled
            }
            if not waiting:
                return list(settled.values())
            first = {key: draft for key, draft in waiting.items() if draft.mapping.type not in SETTLED_LAST}
            chosen = first or waiting
            # Those that wait too: rules look at where records belong before these are settled.
            self._resolve(draft.record for draft in waiting.values())
            for draft in chosen.values():
                self._settle(draft)
            self.settling = None
            settled |= chosen

    def _settle(self, draft: Draft) -> None:
        """Apply the rules of the type, then what follows from the rows."""
        record = draft.record
        self.settling = record.resource["id"]
        if draft.op != "delete":
            for hook in draft.mapping.project:
                hook(record)
            for rule in RULES.get(draft.mapping.type, ()):
                rule(self, draft)
            for hook in draft.mapping.project:
                hook(record)
            index_strings(draft.mapping, record, self.new_id)
            index_quantities(record)
            return
        for rule in RULES_OF_DELETION.get(draft.mapping.type, ()):
            rule(self, draft)

    def _resolve(self, records: Iterable[Record]) -> None:
        """Find the targets of local references, among the records of this unit and in the database."""
        here = {
            (draft.record.resource["resource_type"], draft.record.resource["fhir_id"]): key
            for key, draft in self.drafts.items()
        }
        listed = list(records)
        if self.site.base is not None:
            _recognise(listed, self.site.base)
        waiting = [
            row
            for record in listed
            for row in record.all_rows(Reference)
            if row["target_id"] is None and row["target_fhir_id"] is not None
        ]
        names = {(row["target_type"], row["target_fhir_id"]) for row in waiting}
        found = here | loader.find(self.session.raw, sorted(names - here.keys()))
        self.apart |= names - found.keys()
        for row in waiting:
            row["target_id"] = found.get((row["target_type"], row["target_fhir_id"]))
        for record in listed:
            _follow(record)

    def _look_again(self, draft: Draft) -> None:
        """See how a record stands that this unit has written before."""
        if draft.flushed:
            key = draft.record.resource["id"]
            found = loader.load(self.session.raw, shape(draft.mapping), [key])[key]
            draft.standing, draft.before = Standing.of(found.record), found.content
            draft.op = "update" if draft.op == "create" else draft.op

    def _change(self, draft: Draft) -> Change | None:
        """Make the change of a draft: nothing if it renders as it did, else the next version."""
        head = draft.record.resource
        revived = draft.op != "delete" and draft.standing is not None and draft.before is None
        if draft.op != "delete" and draft.before is not None and self._same(draft):
            return None
        if draft.op != "delete":
            head["deleted_at"] = None
        head["version"] += 1
        last = head["last_updated"]
        head["last_updated"] = (
            max(self.author.at, last + timedelta(microseconds=1)) if last else self.author.at
        )
        head["origin"] = self.author.origin
        head["updated_by"] = self.author.actor_id
        content = None if draft.op == "delete" else resource.render(draft.mapping, draft.record)
        return Change(draft.record, draft.standing, "create" if revived else draft.op, content)

    def _same(self, draft: Draft) -> bool:
        return not draft.pinned and resource.render(draft.mapping, draft.record) == draft.before

    def _link_waiting(self, records: Iterable[Record]) -> None:
        """Let references that waited for new resources point to them, and foreign keys that follow."""
        heads = [record.resource for record in records]
        chosen = {
            (head["resource_type"], head["fhir_id"]) for head in heads if head["fhir_id"] != str(head["id"])
        }
        if chosen:
            loader.point(self.session.raw, chosen, link_column)
            self.apart |= chosen


def link_column(owner_type: str, path: str, target_type: str) -> tuple[str, str] | None:
    """Return table and column of the foreign key that a reference at a path of a type gives, if it may point
    to a row of the type of the target.
    """
    mapping = REGISTRY.get(owner_type)
    found = links(mapping).get(path) if mapping else None
    if found is None:
        return None
    return found[:2] if found[2] in (REGISTRY[target_type].table.table.name, "resource") else None


def _recognise(records: Iterable[Record], base: str) -> None:
    """See which absolute references name resources of this server; they keep how they were written."""
    for record in records:
        for row in record.all_rows(Reference):
            if row["target_fhir_id"] is None and row["literal"] is not None:
                found = local_target(row["literal"], base)
                if found is not None:
                    row["target_type"], row["target_fhir_id"] = found


def _follow(record: Record) -> None:
    """Set the foreign keys that follow from references; of several targets the first counts."""
    for link in record.links:
        target = link.reference["target_id"]
        kind = REGISTRY.get(link.reference["target_type"] or "")
        fits = link.table == "resource" or (kind is not None and kind.table.table.name == link.table)
        if target is not None and fits and link.row[link.column] is None:
            link.row[link.column] = target


def stored(change: Change, author: Author, actor: str) -> Stored:
    """Return a change as readers will find it."""
    head = change.record.resource
    return Stored(
        head["id"],
        head["resource_type"],
        head["fhir_id"],
        head["version"],
        head["last_updated"],
        change.op,
        author.origin,
        actor,
        author.message_id,
        change.content,
    )


@dataclass(frozen=True)
class Site:
    """What a unit must know of the place: unique identifier systems, zone, and the name of who acts."""

    unique_systems: frozenset[str]
    systems: dict[str, str]
    zone: Any
    actor: str = "system"
    base: str | None = None
    """The base URL by which the caller knows this server."""
    user: str | None = None
    """The name by which the caller goes who has no account."""
    client: str | None = None
    """Where the caller calls from."""

    def year(self, at: datetime) -> int:
        """Return the calendar year of an instant in the site's zone."""
        return at.astimezone(self.zone).year
