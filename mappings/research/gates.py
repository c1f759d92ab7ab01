"""What a research case needs of other resources: pure checks, for whoever holds their rows.

https://hl7.org/fhir/R4/observation-definitions.html#Observation.encounter
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.element import Refused
from mappings.research.codes import ALL
from mappings.research.typed import detail_of, kind_of, project
from mappings.research.values import hold
from storage.model.observation import Observation
from storage.model.research import KINDS, MEMBERS
from storage.model.shared import Reference

if TYPE_CHECKING:
    from collections.abc import Sequence

    from storage.model.columns import Row
    from storage.record import Record
    from storage.registry import Instrument


def check_encounter(record: Record, encounter: Row | None, *, native: bool = False) -> None:
    """Check the encounter of a research case once references are resolved; others pass.

    ``encounter`` is the row of the encounter that the case refers to, None where it is not here. It must be
    of the same patient; the case must have a date or the encounter a start. Raises Refused ("required"),
    which names columns where ``native``.
    """
    where, date = (
        ("encounter_id", "surgery_date") if native else ("Observation.encounter", "Observation.effective")
    )
    kind = kind_of(record)
    if kind is None or kind.name not in KINDS:
        return
    if encounter is None:
        raise Refused("required", where, None, "an Encounter of this server")
    patient = record.main["patient_id"]
    if patient is None or encounter["patient_id"] != patient:
        raise Refused("required", where, None, "an Encounter of the same patient")
    if record.main["effective_kind"] is None and encounter["period_start"] is None:
        raise Refused("required", date, None, "the date, or the encounter's start")


def check_range(outcome: Row, known: Sequence[Instrument], *, native: bool = False) -> None:
    """Check the score of an outcome against its instrument as the reference data has it, if it has it.

    Raises Refused ("value" beyond its range, "code-invalid" for no instrument), which names columns where
    ``native``.
    """
    if not known:
        where = "instrument" if native else "Observation.code"
        raise Refused("code-invalid", where, outcome["instrument"], "an instrument of the reference data")
    low, high = known[0].low, known[0].high
    if not low <= outcome["score"] <= high:
        where = "score" if native else "Observation.value"
        raise Refused("value", where, outcome["score"], f"{low:f} to {high:f}")


def default_date(record: Record, encounter: Row) -> None:
    """Give a case that was made here without a date the start of its encounter."""
    kind = kind_of(record)
    if kind is None or kind.name not in KINDS:
        return
    detail = detail_of(record, kind)
    if detail["surgery_date"] is None:
        hold(detail, kind.by_name["surgery_date"], encounter["period_start"])
        project(record)


def member_references(record: Record) -> list[Row]:
    """Return the ``reference`` rows of the members that a case or follow-up names (hasMember).

    Once they are resolved, ``target_id`` is the member whose case this is (of an outcome: whose follow-up).
    """
    kind = kind_of(record)
    if kind is None or kind.name not in {*KINDS, "rc_followup"}:
        return []
    return [row for row in record.rows(Reference, None, "hasMember") if row["target_type"] == "Observation"]


def owner_column(owner: Record, member_table: str) -> str | None:
    """Return which column of a member holds its owner's id: ``case_id``, ``followup_id`` or None."""
    kind = kind_of(owner)
    if kind is None or member_table not in MEMBERS:
        return None
    if kind.name in KINDS:
        return "case_id"
    return "followup_id" if (kind.name, member_table) == ("rc_followup", "rc_outcome") else None


def owner_columns(record: Record) -> list[str]:
    """Return by which columns a member belongs to others: ``case_id``, and of an outcome ``followup_id``."""
    kind = kind_of(record)
    if kind is None or kind.name not in MEMBERS:
        return []
    return [name for name in ("case_id", "followup_id") if name in kind.table.table.c]


def owned_by(owner: Record) -> dict[str, str]:
    """Return the tables whose rows may belong to a case or follow-up, and by which column."""
    found = {name: owner_column(owner, name) for name in MEMBERS}
    return {name: column for name, column in found.items() if column}


def claim(owner: Record, member: Record) -> bool:
    """Let a member belong to a case (or an outcome to a follow-up); tell whether anything changed.

    The member's resource does not show it, so that it makes no new version of the member.
    """
    kind = kind_of(member)
    column = owner_column(owner, kind.name) if kind else None
    if kind is None or column is None:
        return False
    detail, wanted = detail_of(member, kind), owner.resource["id"]
    changed = detail[column] != wanted
    detail[column] = wanted
    return changed


KEPT = (
    Observation.set_id,
    Observation.sub_id,
    *(ALL[name].table.groups["case"] for name in MEMBERS),
    ALL["rc_outcome"].table.groups["followup"],
)
"""Columns that no element of the resource tells, so that an update over FHIR leaves them alone."""
