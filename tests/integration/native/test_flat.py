"""The flat patient record as it is written and read: each field out as it went in, cleared and set again."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.errors import Problem, problem_of
from gateway.native import flat as writing
from gateway.native import flat_removal
from gateway.records import Caller, Records
from gateway.unit import Unit
from mappings.flat import check, typed
from mappings.flat.lists import parted
from mappings.times import bounds
from storage import flat
from storage.model.flat import BY_NAME, FIELDS, Field
from tests.fixtures.records import FHIR

REST = Caller("rest")
EXAMPLE = {field.name: field.example for field in FIELDS if not field.read_only and field.example is not None}
NEEDED = {field.name for field in FIELDS if field.required}
NOT_ALONE = {"address_line1", "admission_date", "discharge_date"}
"""Fields that cannot be cleared while another one stands."""


def made(records: Records, values: dict[str, Any]) -> str:
    def work(unit: Unit) -> str:
        writing.see(unit, values)
        record = writing.create(unit, values)
        unit.flush()
        return record.resource["fhir_id"]

    return records.unit(REST, work)


def changed(records: Records, patient: str, values: dict[str, Any]) -> dict[str, Any]:
    def work(unit: Unit) -> None:
        writing.see(unit, values, flat.one(unit.session.raw, id=patient))
        writing.change(unit, unit.get("Patient", patient), values)
        unit.flush()

    records.unit(REST, work)
    return read(records, patient)


def read(records: Records, patient: str) -> dict[str, Any]:
    with records.store.connection() as connection:
        found = flat.one(connection, id=patient)
    assert found is not None
    return {name: float(value) if isinstance(value, Decimal) else value for name, value in found.items()}


def count(records: Records, patient: str, resource_type: str) -> int:
    """Return how many live resources of a type refer to a patient."""
    statement = """SELECT count(*) FROM resource r
        JOIN reference f ON f.owner_id = r.id AND f.path = 'subject'
        WHERE r.resource_type = %s AND r.deleted_at IS NULL AND f.target_fhir_id = %s"""
    with records.store.connection() as connection:
        found = connection.execute(statement, (resource_type, patient)).fetchone()
    return found[0] if found else 0


def without(values: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in names}


def test_each_field_comes_out_as_it_went_in(records: Records) -> None:
    found = read(records, made(records, EXAMPLE))
    assert list(found) == [field.name for field in FIELDS]
    assert {name: found[name] for name in EXAMPLE} == EXAMPLE
    assert found["bmi"] == 25.8


def test_there_are_66_fields_of_which_five_are_needed() -> None:
    assert len(FIELDS) == len(BY_NAME) == 66
    assert {"mrn", "first_name", "last_name", "date_of_birth", "sex"} == NEEDED


@pytest.mark.parametrize("name", [name for name in EXAMPLE if name not in NEEDED | NOT_ALONE])
def test_each_field_is_cleared_alone_and_set_again(records: Records, name: str) -> None:
    patient = made(records, EXAMPLE)
    before = read(records, patient)
    own = (name, "updated_at", *(["bmi"] if name in ("height_cm", "weight_kg") else []))
    cleared = changed(records, patient, {name: None})
    assert cleared[name] == ("active" if name == "status" else None)
    assert without(cleared, *own) == without(before, *own)
    again = changed(records, patient, {name: EXAMPLE[name]})
    assert without(again, "updated_at") == without(before, "updated_at")


@pytest.mark.parametrize("name", sorted(NOT_ALONE))
def test_what_another_field_needs_is_not_cleared_alone(records: Records, name: str) -> None:
    patient = made(records, EXAMPLE)
    with pytest.raises(Exception) as refusal:  # noqa: PT011 - whatever layer refuses, it is the caller's doing
        changed(records, patient, {name: None})
    problem = problem_of(refusal.value)
    assert problem.status in (409, 422)
    assert problem.issues[0].expression == name


def test_parts_are_cleared_together(records: Records) -> None:
    patient = made(records, EXAMPLE)
    names = [name for name in EXAMPLE if name not in NEEDED]
    found = changed(records, patient, dict.fromkeys(names))
    assert {name for name in names if found[name] is not None} == {"status"}


def test_a_stay_after_a_discharge_is_another_one(records: Records) -> None:
    patient = made(records, EXAMPLE)
    assert changed(records, patient, {"admission_date": "2026-03-01"})["discharge_date"] == "2026-03-05"
    found = changed(records, patient, {"admission_date": "2026-04-01"})
    assert (found["admission_date"], found["discharge_date"]) == ("2026-04-01", None)


def test_who_referred_stays_when_the_stay_begins(records: Records) -> None:
    patient = made(records, without(EXAMPLE, "admission_date", "discharge_date"))
    assert read(records, patient)["referring_provider"] == "Dr. Sam Lee"
    found = changed(records, patient, {"admission_date": "2026-03-01"})
    assert (found["referring_provider"], found["admission_date"]) == ("Dr. Sam Lee", "2026-03-01")


def test_who_referred_is_told_of_the_stay_that_begins_with_it(records: Records) -> None:
    patient = made(records, without(EXAMPLE, "admission_date", "discharge_date", "referring_provider"))
    found = changed(records, patient, {"admission_date": "2026-03-01", "referring_provider": "Dr. Lee"})
    assert (found["referring_provider"], found["admission_date"]) == ("Dr. Lee", "2026-03-01")
    found = changed(records, patient, {"admission_date": None, "referring_provider": "Dr. Ray"})
    assert (found["referring_provider"], found["admission_date"]) == ("Dr. Ray", None)


def test_a_stay_whose_days_are_cleared_keeps_what_else_is_known_of_it(records: Records) -> None:
    days: dict[str, Any] = {"admission_date": None, "discharge_date": None}
    patient = made(records, EXAMPLE)
    found = changed(records, patient, days)
    assert {name: found[name] for name in days} == days
    assert found["referring_provider"] == EXAMPLE["referring_provider"]
    found = changed(records, patient, {"admission_date": "2026-04-01"})
    assert (found["admission_date"], found["discharge_date"]) == ("2026-04-01", None)
    assert count(records, patient, "Encounter") == 2


def test_a_stay_of_which_nothing_else_is_known_is_deleted_with_its_days(records: Records) -> None:
    patient = made(records, EXAMPLE)
    changed(records, patient, dict.fromkeys(("admission_date", "discharge_date", "referring_provider")))
    assert count(records, patient, "Encounter") == 0


@pytest.mark.parametrize(
    ("first", "later", "field"),
    [
        ({"deceased_date": "2000-01-01"}, {"date_of_birth": "2010-01-01"}, "date_of_birth"),
        ({"date_of_birth": "2010-01-01"}, {"deceased_date": "2000-01-01"}, "deceased_date"),
        ({}, {"primary_insurance_expiration_date": "2020-01-01"}, "primary_insurance_expiration_date"),
        ({}, {"secondary_insurance_effective_date": "2031-01-01"}, "secondary_insurance_effective_date"),
        ({"date_of_birth": "2010"}, {"admission_date": "2009-01-01"}, "admission_date"),
    ],
)
def test_dates_fit_those_that_were_told_before(
    records: Records, first: dict[str, Any], later: dict[str, Any], field: str
) -> None:
    patient = made(records, EXAMPLE | first | ({"status": "deceased"} if "deceased_date" in first else {}))
    with pytest.raises(Problem) as refusal:
        changed(records, patient, later)
    assert [issue.expression for issue in refusal.value.issues] == [field]


def test_encounters_of_records_have_visit_numbers(records: Records) -> None:
    def work(unit: Unit) -> None:
        for number in range(3):
            writing.create(unit, EXAMPLE | {"mrn": f"M{number}"})
        unit.flush()

    records.unit(REST, work)
    with records.store.connection() as connection:
        found = connection.execute("SELECT visit_number FROM encounter ORDER BY 1").fetchall()
    assert [number for (number,) in found] == [f"VIS-2026-0000{place}" for place in (1, 2, 3)]


def test_a_doctor_and_a_payor_who_are_here_are_referred_to(records: Records) -> None:
    doctor: dict[str, Any] = {
        "resourceType": "Practitioner",
        "name": [{"family": "Okafor", "given": ["Ada"]}],
    }
    payor: dict[str, Any] = {"resourceType": "Organization", "name": "Medicare Part B"}
    ids = [records.create(FHIR, each["resourceType"], each).fhir_id for each in (doctor, payor)]
    patient = made(records, EXAMPLE)
    assert read(records, patient)["primary_care_provider"] == "Dr. Ada Okafor"
    content = records.read(FHIR, "Patient", patient).content or b""
    assert f"Practitioner/{ids[0]}".encode() in content


def test_the_index_follows_height_and_weight(records: Records) -> None:
    patient = made(records, EXAMPLE | {"height_cm": 180, "weight_kg": 81})
    assert read(records, patient)["bmi"] == 25.0
    assert changed(records, patient, {"weight_kg": 97.2})["bmi"] == 30.0
    assert changed(records, patient, {"height_cm": 200})["bmi"] == 24.3
    found = changed(records, patient, {"height_cm": None})
    assert (found["height_cm"], found["bmi"]) == (None, None)


def test_decimals_keep_their_spelling(records: Records) -> None:
    patient = made(records, EXAMPLE | typed({"height_cm": "178.50", "weight_kg": "80.0"}))
    with records.store.connection() as connection:
        found = flat.one(connection, id=patient) or {}
    assert (str(found["height_cm"]), str(found["weight_kg"])) == ("178.50", "80.0")


def test_a_stream_is_what_stood_when_it_began(records: Records) -> None:
    ids = [made(records, EXAMPLE | {"mrn": f"M{number}"}) for number in range(5)]
    with records.store.connection() as connection:
        stream = flat.stream(connection, {}, batch=2)
        first = next(stream)
        changed(records, ids[4], {"city": "Chicago"})
        made(records, EXAMPLE | {"mrn": "M5"})
        rest = list(stream)
    assert [row["id"] for row in (first, *rest)] == ids
    assert {row["city"] for row in rest} == {"Springfield"}


def test_mrns_in_use_are_known(records: Records) -> None:
    patient = made(records, EXAMPLE)
    with records.store.connection() as connection:
        assert flat.taken(connection, [EXAMPLE["mrn"], "M9"]) == {EXAMPLE["mrn"]: patient}


def test_what_is_removed_for_good_leaves_only_its_ids_in_the_trail(records: Records) -> None:
    patient = made(records, EXAMPLE)
    observer = records.create(
        FHIR,
        "Basic",
        {"resourceType": "Basic", "code": {"text": "x"}, "subject": {"reference": f"Patient/{patient}"}},
    )

    def work(unit: Unit) -> UUID:
        unit.role = "admin"
        record = unit.get("Patient", patient)
        flat_removal.remove_for_good(unit, record)
        return record.resource["id"]

    key = records.unit(REST, work)
    with records.store.connection() as connection:
        left = connection.execute("SELECT resource_type FROM resource").fetchall()
        versions = connection.execute("SELECT count(*) FROM resource_version").fetchone()
        trail = connection.execute(
            "SELECT action, patient_id, role FROM audit_event WHERE detail IS NOT NULL"
        ).fetchall()
    assert (left, versions, trail) == ([("Basic",)], (1,), [("D", key, "admin")])
    assert records.read(FHIR, "Basic", observer.fhir_id).version == 1
    assert read(records, made(records, EXAMPLE))["mrn"] == EXAMPLE["mrn"]


WRONG: dict[str, list[Any]] = {
    "text": ["", "  ", "a\x00", "a\nb", "x" * 256, 7],
    "date": ["1980-13-01", "yesterday", "1980-02-30", "1980-01-15T00:00:00Z"],
    "moment": ["2026-02-30", "2026-03-02T07:30"],
    "email": ["john", "a@b@c", "@x"],
    "phone": ["call me", "12"],
    "ssn": ["000-12-3456", "123-456-789", "***-**-6789"],
    "sex": ["Q", ""],
    "decimal": ["tall", -1, 1000, True, Decimal("70.1234567")],
}


@pytest.mark.parametrize("field", [field for field in FIELDS if field.kind in WRONG], ids=lambda f: f.name)
def test_values_that_a_field_cannot_hold_are_named(field: Field) -> None:
    for value in WRONG[field.kind] if not field.read_only else ():
        assert [found.field for found in check(EXAMPLE | {field.name: value})] == [field.name], value


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"deceased_date": "1979-01-01", "status": "deceased"}, "deceased_date"),
        ({"deceased_date": "2026-01-01", "status": "active"}, "status"),
        ({"discharge_date": "2026-03-01"}, "discharge_date"),
        ({"primary_insurance_expiration_date": "2020-01-01"}, "primary_insurance_expiration_date"),
        ({"date_of_birth": "2027-01-01", "admission_date": None, "discharge_date": None}, "date_of_birth"),
        ({"primary_insurance_type": "gold"}, "primary_insurance_type"),
        ({"blood_type": "C+"}, "blood_type"),
        ({"emergency_contact_name": None, "emergency_contact_phone": None}, "emergency_contact_relationship"),
        ({"colour": "red"}, "colour"),
        ({"mrn": None}, "mrn"),
        ({"mrn": " MRN1"}, "mrn"),
        ({"mrn": "MRN1 "}, "mrn"),
    ],
)
def test_values_that_do_not_go_together_are_named(sent: dict[str, Any], field: str) -> None:
    at: datetime = bounds("2026-11-20")[0]
    assert [found.field for found in check(EXAMPLE | sent, at=at)] == [field]


WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=40
).filter(lambda text: bool(text.strip()))
DATES = st.dates(max_value=date(2026, 2, 1)).map(str)
DRAWN: dict[str, st.SearchStrategy[Any]] = {
    "text": WORDS,
    "long": st.lists(WORDS, min_size=1, max_size=3).map("\n".join),
    "email": st.emails().filter(lambda text: len(text) < 250),
    "phone": st.from_regex(r"\+?[0-9]{3,15}", fullmatch=True),
    "ssn": st.just("123-45-6789"),
    "list": st.lists(WORDS, min_size=1, max_size=3).map(";".join).filter(parted),
    "decimal": st.decimals(31, 200, places=2),
    "sex": st.sampled_from("MFOU"),
}
SKIPPED = {"deceased_date", "status", "admission_date", "discharge_date", "date_of_birth"}


def drawn(field: Field) -> st.SearchStrategy[Any]:
    if field.values:
        return st.sampled_from(field.values)
    return DRAWN[field.kind]


FREE = [
    field for field in FIELDS if not field.read_only and field.name not in SKIPPED and field.kind in DRAWN
]
RECORDS = st.fixed_dictionaries(
    {field.name: drawn(field) for field in FREE if field.required} | {"date_of_birth": DATES},
    optional={field.name: drawn(field) for field in FREE if not field.required},
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(values=RECORDS, later=RECORDS)
def test_whatever_is_written_is_read(records: Records, values: dict[str, Any], later: dict[str, Any]) -> None:
    sent = {name: value for name, value in values.items() if len(str(value)) <= BY_NAME[name].limit}
    if not {"address_line2", "emergency_contact_relationship"}.isdisjoint(sent):
        sent |= {"address_line1": "1 Main Street", "emergency_contact_name": "Jane"}
    sent["mrn"] = str(records.new_id())
    assert check(sent) == []
    patient = made(records, sent)
    assert_says(read(records, patient), sent)
    new = without(later, "mrn", "address_line2", "emergency_contact_relationship")
    try:
        found = changed(records, patient, new)
    except Problem as problem:
        raise AssertionError(problem.issues) from problem
    assert_says(found, sent | new)


def test_an_item_of_a_list_is_told_in_the_words_that_were_sent_last(records: Records) -> None:
    patient = made(records, EXAMPLE | {"mrn": str(records.new_id()), "allergies": "latex;penicillin"})
    assert changed(records, patient, {"allergies": "Penicillin; latex"})["allergies"] == "latex; Penicillin"
    assert changed(records, patient, {"medications": "Aspirin"})["allergies"] == "latex; Penicillin"


def assert_says(found: dict[str, Any], sent: dict[str, Any]) -> None:
    for name, value in sent.items():
        field = BY_NAME[name]
        if field.kind == "list":
            assert parted(found[name]) == parted(value), name
        else:
            assert found[name] == (float(value) if isinstance(value, Decimal) else value), name
    unsaid = {field.name for field in FREE} - sent.keys()
    assert {name for name in unsaid if found[name] is not None} == set()
