"""What becomes of the members of a research case: added, read, changed, deleted, in one unit of work each."""

from __future__ import annotations

from typing import Any

from gateway import errors
from gateway.native.research import case_of, see_references
from gateway.records import Caller, Records
from gateway.unit import Unit
from mappings import research
from mappings.research.sheet import row_values
from storage import registry
from storage.errors import Duplicate
from storage.model.research import MEMBERS, CaseKind
from storage.record import Record

Values = dict[str, Any]
FOLLOWUP, OUTCOME = MEMBERS["rc_followup"], MEMBERS["rc_outcome"]


def add(
    records: Records, caller: Caller, kind: CaseKind, case_id: str, member: CaseKind, values: Values
) -> Values:
    """Add a member to a case. Raises NotFound, Refused, DuplicateKey."""

    def work(unit: Unit) -> Values:
        case = case_of(unit, kind, case_id)
        told = {name: value for name, value in values.items() if name != "followup_id" or member != OUTCOME}
        see_references(unit, told)
        made = research.new_case(member, _as_of(case, member) | told, unit.new_id)
        _same_patient(case, made)
        unit.adopt(made)
        _join(unit, case, made)
        if member is OUTCOME and values.get("followup_id") is not None:
            _join(unit, _followup(unit, case, values["followup_id"]), made)
        return _written(unit, member, made)

    return _once(records, caller, member, work)


def _as_of(case: Record, member: CaseKind) -> Values:
    """Return what a member takes from its case: the patient; an implant the encounter, too, since all others
    come about later.
    """
    told = research.case_values(case)
    names = ("patient_id", "encounter_id") if member.name == "rc_implant" else ("patient_id",)
    return {name: told[name] for name in names}


def _same_patient(case: Record, member: Record) -> None:
    told = [research.case_values(record)["patient_id"] for record in (case, member)]
    if told[0] != told[1]:
        text = "A member of a case is of the patient of the case."
        raise errors.BusinessRule(text, expression="patient_id")


def _join(unit: Unit, owner: Record, member: Record) -> None:
    research.add_member(owner, member.resource["fhir_id"])
    unit.touch(owner, "patch")


def _followup(unit: Unit, case: Record, fhir_id: Any) -> Record:
    """Return a follow-up of the same case. Raises NotFound, ValueInvalid."""
    if type(fhir_id) is not str or not fhir_id:
        raise errors.ValueInvalid("followup_id is the id of a follow-up.", expression="followup_id")
    found = unit.seek("Observation", fhir_id)
    detail = found.details.get(FOLLOWUP.name) if found else None
    if (
        found is None
        or found.resource["deleted_at"]
        or not detail
        or detail["case_id"] != case.resource["id"]
    ):
        raise errors.NotFound(f"The case has no follow-up {fhir_id}.", expression="followup_id")
    return found


def _member(unit: Unit, case: Record, member: CaseKind, member_id: str) -> Record:
    found = unit.get("Observation", member_id)
    detail = found.details.get(member.name)
    if detail is None or detail["case_id"] != case.resource["id"]:
        raise errors.NotFound(f"The case has no {member.path} {member_id}.", expression="member_id")
    return found


def all_of(records: Records, caller: Caller, kind: CaseKind, case_id: str, member: CaseKind) -> list[Values]:
    """Return the live members of a case, of one kind."""

    def work(unit: Unit) -> list[Values]:
        case = case_of(unit, kind, case_id)
        found = registry.members(unit.session.raw, member, case.resource["id"])
        return [row_values(member, row) for row in found]

    return records.unit(caller, work)


def get(
    records: Records, caller: Caller, kind: CaseKind, case_id: str, member: CaseKind, member_id: str
) -> Values:
    """Return one member. Raises NotFound, Deleted."""

    def work(unit: Unit) -> Values:
        return _shown(unit, member, _member(unit, case_of(unit, kind, case_id), member, member_id))

    return records.unit(caller, work)


def change(
    records: Records,
    caller: Caller,
    kind: CaseKind,
    case_id: str,
    member: CaseKind,
    member_id: str,
    values: Values,
) -> Values:
    """Change the columns that are named. Raises NotFound, Refused, DuplicateKey."""

    def work(unit: Unit) -> Values:
        case = case_of(unit, kind, case_id)
        record = _member(unit, case, member, member_id)
        told = dict(values)
        if member is OUTCOME and "followup_id" in told:
            _move(unit, case, record, told.pop("followup_id"))
        see_references(unit, told)
        research.change_case(record, told, unit.new_id)
        _same_patient(case, record)
        unit.touch(record, "patch")
        return _written(unit, member, record)

    return _once(records, caller, member, work)


def _move(unit: Unit, case: Record, outcome: Record, fhir_id: Any) -> None:
    """Let an outcome belong to another follow-up of the case, or to none."""
    _part(unit, outcome, "followup_id")
    if fhir_id is not None:
        _join(unit, _followup(unit, case, fhir_id), outcome)


def _part(unit: Unit, member: Record, column: str) -> None:
    """Let the owner of a member name it no more."""
    kind = research.kind_of(member)
    key = member.details[kind.name].get(column) if kind else None
    for owner in unit.load("Observation", [key] if key else []):
        research.drop_member(owner, member.resource["fhir_id"])
        unit.touch(owner, "patch")


def delete(
    records: Records, caller: Caller, kind: CaseKind, case_id: str, member: CaseKind, member_id: str
) -> None:
    """Delete a member; its case and its follow-up name it no more."""

    def work(unit: Unit) -> None:
        record = _member(unit, case_of(unit, kind, case_id), member, member_id)
        _part(unit, record, "case_id")
        _part(unit, record, "followup_id")
        unit.delete(record)
        unit.flush()

    records.unit(caller, work)


def _written(unit: Unit, member: CaseKind, record: Record) -> Values:
    unit.flush()
    return _shown(unit, member, record)


def _shown(unit: Unit, member: CaseKind, record: Record) -> Values:
    (row,) = registry.rows(unit.session.raw, member, [record.resource["id"]])
    return row_values(member, row)


def _once(records: Records, caller: Caller, member: CaseKind, work: Any) -> Values:
    """Write; tell which column is in the way where a case has such a member already."""
    try:
        return records.unit(caller, work)
    except Duplicate as refusal:
        if refusal.what.startswith(f"uq_{member.name}_"):
            text = f"The case has its {member.path} of this time point already."
            raise errors.DuplicateKey(text, expression="timepoint") from refusal
        raise
