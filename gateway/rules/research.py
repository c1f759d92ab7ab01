"""What a research case must obey: its encounter, its date, the members that it names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings import research
from storage import dependents

if TYPE_CHECKING:
    from gateway.unit import Draft, Unit


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


def research_members(unit: Unit, draft: Draft) -> None:
    """Let the members that a case names belong to it; their resources do not show it, so it makes no
    version.
    """
    owner = draft.record
    for reference in research.member_references(owner):
        member = next(iter(unit.load("Observation", [reference["target_id"]])), None)
        if member is None or not research.claim(owner, member):
            continue
        kind = research.kind_of(member)
        column = research.owner_column(owner, kind.name) if kind else None
        if kind is not None and column is not None:
            unit.afterwards(dependents.claim, kind.name, column, member.resource["id"], owner.resource["id"])
