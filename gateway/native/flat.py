"""The flat patient record written: the patient and what hangs on it, in a unit of work.

Covers, observations, allergies, medication and encounters are resources of their own; each follows from the
fields that its place names. A field set to None is cleared: the resource that held nothing else is deleted,
its versions stay. A new value of a measurement or a habit is another observation, a new text of a history
the next version of the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from gateway import errors
from gateway.errors import Issue
from gateway.native.fields import named
from gateway.unit import Unit
from mappings import flat, resource
from mappings.flat import covers, findings, lists, visits
from mappings.flat.patient import fill
from mappings.flat.words import Object
from mappings.times import render_instant
from storage import flat_parts
from storage.lexical import DECODER
from storage.model.flat_places import Finding
from storage.record import Record

Values = Mapping[str, Any]
PEOPLE = ("primary_care_provider", "referring_provider")
PAYORS = ("primary_insurance_provider", "secondary_insurance_provider")
ADMISSION = {"admission_date": "start", "discharge_date": "end"}
TITLES = frozenset({"dr", "dr.", "prof", "prof.", "mr", "mr.", "mrs", "mrs.", "ms", "ms.", "md", "do"})


def see(unit: Unit, values: Values, present: Values | None = None) -> None:
    """See that values can stand in a new record, or in a ``present`` one. Raises Unprocessable, an issue for
    each field that cannot.
    """
    wrong = flat.check(values, present is None, unit.author.at, present or {})
    if wrong:
        issues = [
            Issue("error", _code(told.message), f"{told.field} {told.message}", told.field) for told in wrong
        ]
        raise errors.problem_with(issues)


def _code(message: str) -> str:
    return "required" if message.startswith(("is needed", "needs")) else "value"


def create(unit: Unit, values: Values) -> Record:
    """Make a patient, and all that hangs on it, of the values of a flat record that ``see`` has seen.

    They are written at the next flush. Raises Refused; DuplicateKey (at the flush) for an MRN in use.
    """
    known = {name: value for name, value in values.items() if value is not None}
    learn_names(unit, [known])
    record = unit.new("Patient")
    patient: Object = {"resourceType": "Patient", "active": True}
    fill(patient, known, _people(unit))
    _read(unit, record, patient)
    me, at = _me(record), render_instant(unit.author.at)
    for position in covers.PARTS:
        told = covers.told(known, position)
        if told:
            _new(unit, covers.cover(None, position, told, me, _payors(unit)))
    for name in (name for name in findings.FINDINGS if name in known):
        _new(unit, findings.finding(name, _exact(known[name]), me, at))
    for name, make in lists.MADE.items():
        for text in lists.parted(known.get(name)):
            _new(unit, make(text, me, at))
    _new(unit, _first_visit(unit, known, me))
    return record


def change(unit: Unit, record: Record, values: Values) -> None:
    """Change the fields of a stored patient that are told; None clears. Raises Refused, IllegalTransition."""
    learn_names(unit, [values])
    patient = _content(unit, record)
    before = DECODER.decode(resource.encode(patient))
    fill(patient, values, _people(unit))
    if patient != before:
        unit.replace(record, patient)
        unit.touch(unit.drafts[record.resource["id"]].record, "patch")
    key, me = record.resource["id"], _me(record)
    for position in covers.PARTS:
        _change_cover(unit, key, position, covers.told(values, position), me)
    for name in findings.FINDINGS:
        if name in values:
            _change_finding(unit, key, name, values[name], me)
    for name in lists.MADE:
        if name in values:
            _change_list(unit, key, name, values[name], me)
    _change_visits(unit, key, values, me)


def _me(record: Record) -> str:
    return f"Patient/{record.resource['fhir_id']}"


def _exact(value: Any) -> Any:
    return Decimal(str(value)) if isinstance(value, float) else value


# --- resources -------------------------------------------------------------------------------------------


def _read(unit: Unit, record: Record, value: Object) -> None:
    resource.read(unit.drafts[record.resource["id"]].mapping, value, unit.new_id, record)


def _new(unit: Unit, value: Object | None) -> None:
    if value is not None:
        _read(unit, unit.new(value["resourceType"]), value)


def _content(unit: Unit, record: Record) -> Object:
    draft = unit.drafts[record.resource["id"]]
    return DECODER.decode(resource.render(draft.mapping, draft.record))


def _load(unit: Unit, resource_type: str, key: UUID | None) -> Record | None:
    return next(iter(unit.load(resource_type, [key])), None) if key is not None else None


def _put(unit: Unit, record: Record | None, present: Object | None, made: Object | None) -> None:
    """Let a resource become what was made of it: a new one, another version, or none any more."""
    if record is None:
        _new(unit, made)
    elif made is None:
        unit.delete(record)
    elif made != present:
        unit.touch(unit.replace(record, made), "patch")


# --- what hangs on a patient -----------------------------------------------------------------------------


def _change_cover(unit: Unit, key: UUID, position: int, told: Mapping[str, Any], me: str) -> None:
    if not told:
        return
    record = _load(unit, "Coverage", flat_parts.cover(unit.session.raw, key, position))
    present = _content(unit, record) if record else None
    _put(unit, record, present, covers.cover(present, position, told, me, _payors(unit)))


def _change_finding(unit: Unit, key: UUID, name: str, value: Any, me: str) -> None:
    """Say something else from now on; what is cleared is the newest, with what else was said that day."""
    place = findings.FINDINGS[name].place
    code = place.code if isinstance(place, Finding) else ""
    found = unit.load("Observation", flat_parts.findings(unit.session.raw, key, code))
    newest = _content(unit, found[0]) if found else None
    if value is None:
        for record in found:
            unit.delete(record)
    elif newest is None or findings.value_of(newest, name) != value:
        at = render_instant(unit.author.at)
        if newest is not None and findings.keeps(name):
            _put(unit, found[0], newest, findings.amended(newest, name, _exact(value), at))
        else:
            _new(unit, findings.finding(name, _exact(value), me, at))


def _change_list(unit: Unit, key: UUID, name: str, value: str | None, me: str) -> None:
    """Keep what is still told, in its new words, add what is new, delete what is told no more."""
    table = {"allergies": "allergy", "medications": "medication"}[name]
    present = flat_parts.listed(unit.session.raw, key, table)
    wanted = {lists.key(text): text for text in lists.parted(value)}
    for row, text in present:
        told = wanted.pop(lists.key(text), None)
        if told == lists.spelling(text):
            continue
        for record in unit.load(lists.TYPES[name], [row]):
            content = _content(unit, record)
            _put(unit, record, content, lists.respelt(content, name, told) if told else None)
    for text in wanted.values():
        _new(unit, lists.MADE[name](text, me, render_instant(unit.author.at)))


def _first_visit(unit: Unit, values: Values, me: str) -> Object | None:
    """Return the stay in hospital of a new patient, or an encounter that only tells who referred."""
    told = {part: values[name] for name, part in ADMISSION.items() if name in values}
    made = visits.stay(None, told, me, unit.author.at) if told else None
    return visits.referral(made, values.get("referring_provider"), me, _people(unit))


def _change_visits(unit: Unit, key: UUID, values: Values, me: str) -> None:
    """Set the days of the stay, and who referred to the newest encounter: which one follows from the days.

    Who referred is cleared first, since a stay of which that alone is known is not kept without its days.
    """
    told = {part: values[name] for name, part in ADMISSION.items() if name in values}
    referrer = "referring_provider" in values
    if referrer and values["referring_provider"] is None:
        _refer(unit, key, None, me)
    if told:
        newest = flat_parts.visit(unit.session.raw, key)
        record = _stay(unit, flat_parts.stay(unit.session.raw, key), newest, told)
        present = _content(unit, record) if record else None
        _put(unit, record, present, visits.stay(present, told, me, unit.author.at))
        with named({"Encounter.status": "discharge_date" if "end" in told else "admission_date"}):
            unit.flush()
    if referrer and values["referring_provider"] is not None:
        _refer(unit, key, values["referring_provider"], me)


def _refer(unit: Unit, key: UUID, name: str | None, me: str) -> None:
    record = _load(unit, "Encounter", flat_parts.visit(unit.session.raw, key))
    present = _content(unit, record) if record else None
    _put(unit, record, present, visits.referral(present, name, me, _people(unit)))
    unit.flush()


def _stay(unit: Unit, stay: UUID | None, newest: UUID | None, told: Mapping[str, Any]) -> Record | None:
    """Return the encounter that days of admission and discharge belong to: the present stay, else one of
    which nothing is known but who referred; None where they begin another.
    """
    record = _load(unit, "Encounter", stay)
    if record is not None and not visits.is_another(_content(unit, record), told):
        return record
    visit = _load(unit, "Encounter", newest)
    return visit if visit is not None and visits.is_bare(_content(unit, visit)) else None


# --- who is named ----------------------------------------------------------------------------------------


def learn_names(unit: Unit, rows: Iterable[Values]) -> None:
    """Look up who is named in records: once for all of them where they come together."""
    listed = list(rows)
    for kind, fields, statement in (
        ("Practitioner", PEOPLE, flat_parts.PRACTITIONERS),
        ("Organization", PAYORS, flat_parts.ORGANIZATIONS),
    ):
        known = unit.named_here.setdefault(kind, {})
        told = {str(row[name]) for row in listed for name in fields if row.get(name)} - known.keys()
        pairs = [(name, spelt) for name in told for spelt in _spellings(name)]
        found = flat_parts.named(unit.session.raw, statement, pairs)
        known.update({name: f"{kind}/{found[name]}" if name in found else None for name in told})


def _spellings(name: str) -> list[str]:
    """Return a name as it is, and as "Family, Given" without titles."""
    parts = [part for part in name.replace(",", " ").split() if part.lower() not in TITLES]
    turned = f"{parts[-1]}, {' '.join(parts[:-1])}" if len(parts) > 1 else name
    return list(dict.fromkeys((name, turned)))


def _people(unit: Unit) -> dict[str, str]:
    return _of_kind(unit, "Practitioner")


def _payors(unit: Unit) -> dict[str, str]:
    return _of_kind(unit, "Organization")


def _of_kind(unit: Unit, kind: str) -> dict[str, str]:
    return {name: found for name, found in unit.named_here.get(kind, {}).items() if found is not None}
