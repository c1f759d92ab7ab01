"""What a research case must obey: its encounter, its date, its scores, the members that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings import research
from storage import dependents, registry

if TYPE_CHECKING:
    from uuid import UUID

    from gateway.unit import Draft, Unit
    from storage.record import Record


def research_case(unit: Unit, draft: Draft) -> None:
    """Check the encounter of a research case, date it by the encounter where the registry does not."""
    record = draft.record
    if not record.details or research.kind_of(record) is None:
        return
    native = unit.author.origin == "rest"
    wanted = record.main["encounter_id"]
    encounter = next(iter(unit.load("Encounter", [wanted])), None) if wanted else None
    research.check_encounter(record, encounter and encounter.main, native=native)
    if encounter is not None and unit.author.origin != "fhir":
        research.default_date(record, encounter.main)


def outcome_score(unit: Unit, draft: Draft) -> None:
    """Check a score against the range that the reference data has for its instrument. Raises Refused."""
    detail = draft.record.details.get("rc_outcome")
    if detail is None:
        return
    known = registry.instruments(unit.session.raw, detail["instrument"])
    research.check_range(detail, known, native=unit.author.origin == "rest")


def research_members(unit: Unit, draft: Draft) -> None:
    """Let the members that a case names, and no others, belong to it; their resources do not show it, so it
    makes no version.
    """
    owner = draft.record
    named = [reference["target_id"] for reference in research.member_references(owner)]
    for member in unit.load("Observation", [key for key in named if key]):
        if member.resource["deleted_at"] is None:
            _claim(unit, owner, member)
    if draft.standing is not None:
        _release(unit, owner, [key for key in named if key])


def research_member(unit: Unit, draft: Draft) -> None:
    """Let a member that comes, or comes back, belong to whoever named it before it was here."""
    member = draft.record
    if not draft.anew or not research.owner_columns(member):
        return
    asked = ("Observation", "hasMember", "Observation", member.resource["fhir_id"])
    for owner in unit.load("Observation", dependents.awaiting(unit.session.raw, *asked)):
        _claim(unit, owner, member)


def research_member_goes(unit: Unit, draft: Draft) -> None:
    """Let a deleted member belong to nobody, so that another may take its place, and let go what is its
    own.
    """
    member, kind = draft.record, research.kind_of(draft.record)
    if kind is None:
        return
    for column in research.owner_columns(member):
        member.details[kind.name][column] = None
        unit.afterwards(dependents.claim, kind.name, column, member.resource["id"], None)
    _release(unit, member, [])


def _claim(unit: Unit, owner: Record, member: Record) -> None:
    kind = research.kind_of(member)
    column = research.owner_column(owner, kind.name) if kind else None
    if kind is not None and column is not None and research.claim(owner, member):
        unit.afterwards(dependents.claim, kind.name, column, member.resource["id"], owner.resource["id"])


def _release(unit: Unit, owner: Record, keep: list[UUID]) -> None:
    """Let members belong to their owner no more, but for those that it keeps."""
    key = owner.resource["id"]
    for table, column in research.owned_by(owner).items():
        unit.afterwards(dependents.release, table, column, key, keep)
        for draft in unit.drafts.values():
            row = draft.record.details.get(table)
            if row is not None and row[column] == key and row["id"] not in keep:
                row[column] = None
