"""Research cases, their members and arterial findings as JSON of the hospital's own applications.

https://hl7.org/fhir/R4/observation.html

The same columns as over FHIR, by their own names; a refusal names the column.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings import resource
from mappings.concepts import SNOMED
from mappings.element import Mapping, Refused
from mappings.observation_lines import LINES
from mappings.research import attributes
from mappings.research.arterial_columns import ARTERIAL
from mappings.research.codes import ALL, BY_PATH, CASE
from mappings.research.elements import items, put
from mappings.research.links import TARGETS, point, targets
from mappings.research.typed import check, detail_of, kind_of, project
from mappings.research.udi import parts_of_carrier
from mappings.research.values import KINDS as VALUES
from mappings.research.values import held, hold
from storage.model.observation import STATUSES, Observation
from storage.model.research import KINDS
from storage.model.shared import Reference

if TYPE_CHECKING:
    from mappings.convert import NewId
    from mappings.element import Value
    from storage.model.research import CaseKind, Column
    from storage.record import Record

OBSERVED = Mapping(type="Observation", table=Observation, lines=LINES)
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
CATEGORIES = {
    "rc_followup": "exam",
    "rc_outcome": "survey",
    "rc_implant": "procedure",
    "rc_complication": "exam",
    "arterial_finding": "imaging",
}
"""Observation.category of what is made here; of the cases themselves: procedure."""
JSON_NAMES = {("rc_kneearthroplasty", "constraint_type"): "constraint"}
"""Columns that JSON calls otherwise."""
WORDS = {("rc_shoulderarthroplasty", "arthroplasty_type"): {"TSA": "anatomic", "RSA": "reverse"}}
"""Words that JSON may use for codes."""


def find_kind(name: str) -> CaseKind:
    """Return a kind by its path (``hiparthroplasty``) or its table; raises KeyError."""
    return BY_PATH.get(name) or ALL[name]


def json_name(kind: CaseKind, column: Column) -> str:
    """Return what JSON calls a column."""
    return JSON_NAMES.get((kind.name, column.name), column.name)


def new_case(kind: str | CaseKind, values: dict[str, Value], new_id: NewId) -> Record:
    """Make a case, a member or an arterial finding from JSON values by column name.

    Besides the columns: ``status`` (of Observation) and the FHIR ids ``patient_id``, ``encounter_id``,
    ``procedure_id``, ``surgeon_id``, ``trainee_id``. A case without a status is a draft (registered),
    anything else final. Raises Refused, whose expression is the column.
    """
    told = find_kind(kind) if isinstance(kind, str) else kind
    record = resource.blank(OBSERVED, new_id)
    record.details[told.name] = {**told.table.blank(), "id": record.resource["id"]}
    record.main["status"] = "registered" if told.name in KINDS else "final"
    record.main["is_computed"] = False
    category = CATEGORIES.get(told.name, "procedure")
    put(record, "category", [{"coding": [{"system": CATEGORY, "code": category}]}])
    if told is not ARTERIAL:
        put(record, "code", {"coding": [{"system": CASE, "code": told.code}]})
    if told.site:
        put(record, "bodySite", {"coding": [{"system": SNOMED, "code": told.site}]})
    change_case(record, values, new_id)
    return record


def change_case(record: Record, values: dict[str, Value], new_id: NewId) -> None:
    """Change the columns that are named, and the observation with them; None clears one.

    Raises Refused, whose expression is the column, KeyError where the record is no typed observation.
    """
    del new_id  # Rows that follow from the columns get ids that follow from the resource's own.
    kind = _kind(record)
    detail, by_name = detail_of(record, kind), {json_name(kind, column): column for column in kind.columns}
    by_name = {**kind.by_name, **by_name}
    names = _json_names(kind)
    for name, value in values.items():
        if name in by_name:
            hold(detail, by_name[name], accept(kind, by_name[name], value, name))
        elif name not in ("status", *_references(kind)):
            raise Refused("value", name, value, ", ".join(names.values()))
    _fill_udi(kind, detail, values)
    if kind is ARTERIAL and detail["kind"] is None:
        detail["kind"] = "segment" if detail["segment"] else "index"
    _head(record, kind, values)
    check(record, kind, names)
    project(record)


def _kind(record: Record) -> CaseKind:
    kind = kind_of(record)
    if kind is None:
        raise KeyError("not a typed observation")
    return kind


def _references(kind: CaseKind) -> tuple[str, ...]:
    """The references that JSON may set: patient, encounter, and those of the detail row."""
    columns = kind.table.table.c
    return ("patient_id", "encounter_id", *(name for name in TARGETS if name in columns))


def _json_names(kind: CaseKind) -> dict[str, str]:
    """Column -> its name in JSON, with the references."""
    return {
        **{column.name: json_name(kind, column) for column in kind.columns},
        **{name: name for name in _references(kind)},
    }


def accept(kind: CaseKind, column: Column, value: Value, where: str) -> Any:
    """Return what a column holds of a JSON value, None for null and empty ones; raises Refused."""
    if value is None or value == "" or value == []:
        return None
    if column.kind == "attributes":
        return attributes.accept(value, where)
    if column.kind == "set":
        return _members(column, value, where)
    if isinstance(value, str):
        value = WORDS.get((kind.name, column.name), {}).get(value, value)
        if column.kind == "text" and column.high is not None and len(value) > column.high:
            raise Refused("value", where, value, f"at most {column.high} characters")
    return VALUES[column.kind].accept(column, value, where)


def _members(column: Column, value: Value, where: str) -> list[str]:
    if not isinstance(value, list):
        raise Refused("value", where, value, "a list of " + ", ".join(column.values))
    found: list[str] = [VALUES["set"].accept(column, item, where) for item in value]  # pyright: ignore[reportUnknownVariableType]
    return list(dict.fromkeys(found))


def _fill_udi(kind: CaseKind, detail: dict[str, Any], values: dict[str, Value]) -> None:
    """Fill what an implant's carrier tells and nobody else told."""
    if kind.name == "rc_implant" and values.get("udi_carrier"):
        for name, part in parts_of_carrier(detail["udi_carrier"]).items():
            if detail[name] is None:
                detail[name] = part


def _head(record: Record, kind: CaseKind, values: dict[str, Value]) -> None:
    if "status" in values:
        if values["status"] not in STATUSES:
            raise Refused("code-invalid", "status", values["status"], ", ".join(STATUSES))
        record.main["status"] = values["status"]
    wanted = {name: values[name] for name in _references(kind) if name in values}
    for name, fhir_id in wanted.items():
        if fhir_id is not None and (type(fhir_id) is not str or not fhir_id):
            raise Refused("value", name, fhir_id, "the id of a resource")
    point(record, wanted)


def case_values(record: Record) -> dict[str, Value]:
    """Return the JSON values of a typed observation: id, kind, status, references by FHIR id, every column.

    Raises KeyError where the record is no typed observation.
    """
    kind = _kind(record)
    detail = detail_of(record, kind)
    here = {**_people(record), **targets(record, detail)}
    return {
        "id": record.resource["fhir_id"],
        "rc_kind": kind.path,
        "status": record.main["status"],
        **{name: here.get(name) for name in _references(kind)},
        **{json_name(kind, column): held(detail, column) for column in kind.columns},
    }


def _people(record: Record) -> dict[str, str | None]:
    """The patient and the encounter, which members have too though their rows do not point to it."""
    found: dict[str, str | None] = {}
    for name, path, kind in (
        ("patient_id", "subject", "Patient"),
        ("encounter_id", "encounter", "Encounter"),
    ):
        rows = (row for row in record.rows(Reference, None, path) if row["target_type"] == kind)
        found[name] = next((row["target_fhir_id"] for row in rows), None)
    return found


def add_member(case: Record, fhir_id: str) -> None:
    """Let a case name an Observation as its member (hasMember), once."""
    found, wanted = items(case, "hasMember"), f"Observation/{fhir_id}"
    if all(item.get("reference") != wanted for item in found):
        put(case, "hasMember", [*found, {"reference": wanted}])


def drop_member(owner: Record, fhir_id: str) -> None:
    """Let a case or follow-up name an Observation as its member no more, however it is written."""
    found = items(owner, "hasMember")
    rows = owner.rows(Reference, None, "hasMember")
    named = [(row["target_type"], row["target_fhir_id"]) for row in rows]
    kept = [item for item, name in zip(found, named, strict=True) if name != ("Observation", fhir_id)]
    if len(kept) < len(found):
        put(owner, "hasMember", kept or None)


__all__ = [
    "accept",
    "add_member",
    "case_values",
    "change_case",
    "drop_member",
    "find_kind",
    "json_name",
    "new_case",
]
