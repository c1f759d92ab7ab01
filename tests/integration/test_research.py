"""Research cases in the database: the same columns by either door, members, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.records import Caller, Records
from gateway.unit import Unit
from mappings import research, resource
from mappings.element import Refused
from mappings.research.codes import ALL
from mappings.resources.observation import OBSERVATION
from storage.model.research import KINDS
from storage.record import Record
from tests.fixtures.records import FHIR
from tests.fixtures.research import values_of
from tests.fixtures.research_cases import HIP, coded, component, hip, quantity
from tests.fixtures.resources import decode, text

NATIVE = Caller("rest")
PATIENTS = ("p1", "p2")


@pytest.fixture
def ward(records: Records) -> Records:
    """Two patients; one has an encounter, a procedure and the people of it."""
    for name in PATIENTS:
        records.update(FHIR, "Patient", name, {"resourceType": "Patient", "id": name})
    for name in ("s1", "t1"):
        records.update(FHIR, "Practitioner", name, {"resourceType": "Practitioner", "id": name})
    subject = {"subject": {"reference": "Patient/p1"}}
    encounter = {"status": "finished", "class": {"code": "IMP"}, "period": {"start": "2026-01-19"}, **subject}
    records.update(FHIR, "Encounter", "e1", {"resourceType": "Encounter", "id": "e1", **encounter})
    procedure = {"resourceType": "Procedure", "id": "x1", "status": "completed", **subject}
    records.update(FHIR, "Procedure", "x1", procedure)
    return records


def made(unit: Unit, name: str, values: dict[str, Any]) -> Record:
    record = research.new_case(name, values, unit.new_id)
    unit.adopt(record)
    unit.flush()
    return record


def columns(record: Record) -> str:
    """The detail row, but for its id and the ids of what was made with it."""
    (row,) = record.details.values()
    return text({name: str(value) for name, value in row.items() if name != "id"})


@pytest.mark.parametrize("name", sorted(ALL))
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_case_made_natively_and_one_sent_over_fhir_are_the_same_rows(
    name: str, ward: Records, data: st.DataObject
) -> None:
    values = data.draw(values_of(ALL[name])) | {"registry_id": None}
    if "registry_id" not in ALL[name].by_name:
        del values["registry_id"]
    first = ward.unit(NATIVE, lambda unit: made(unit, name, values))
    shown = decode(bytes(stored_bytes(ward, first.resource["fhir_id"])))
    second = ward.create(FHIR, "Observation", shown)

    def compare(unit: Unit) -> None:
        one, other = (
            unit.get("Observation", fhir_id) for fhir_id in (first.resource["fhir_id"], second.fhir_id)
        )
        assert columns(one) == columns(other)
        for record in (one, other):
            before = bytes(stored_bytes(ward, record.resource["fhir_id"]))
            assert resource.render(OBSERVATION, record) == before
            for hook in OBSERVATION.project:
                hook(record)
            assert resource.render(OBSERVATION, record) == before
        said = research.case_values(one)
        assert {key: text(said[key]) for key in values} == {key: text(value) for key, value in values.items()}

    ward.unit(FHIR, compare)


def stored_bytes(ward: Records, fhir_id: str) -> bytes:
    content = ward.read(FHIR, "Observation", fhir_id).content
    assert content is not None
    return content


def test_the_columns_are_plain_sql(ward: Records) -> None:
    value = hip(
        component("rc-common", "side", coded("rc-common-side", "left")),
        component(HIP, "cup_size", quantity(54)),
        partOf=[{"reference": "Procedure/x1"}],
        performer=[{"reference": "Practitioner/s1"}, {"reference": "Practitioner/t1"}],
        effectiveDateTime="2026-01-20",
    )
    ward.create(FHIR, "Observation", value)
    statement = b"""SELECT o.detail, r.side, r.cup_size, r.surgery_date, e.status, p.status,
        s.fhir_id, t.fhir_id FROM rc_hiparthroplasty r JOIN observation o USING (id)
        JOIN encounter e ON e.id = r.encounter_id
        JOIN procedure p ON p.id = r.procedure_id JOIN resource s ON s.id = r.surgeon_id
        JOIN resource t ON t.id = r.trainee_id"""
    rows = ward.unit(FHIR, lambda unit: unit.session.raw.execute(statement).fetchall())
    assert rows == [("rc_hiparthroplasty", "left", 54, "2026-01-20", "finished", "completed", "s1", "t1")]


def test_a_native_change_is_seen_over_fhir(ward: Records) -> None:
    created = ward.create(FHIR, "Observation", hip(component(HIP, "cup_size", quantity(54))))

    def change(unit: Unit) -> None:
        record = unit.get("Observation", created.fhir_id)
        research.change_case(record, {"cup_size": 56, "surgeon_id": "s1"}, unit.new_id)
        unit.touch(record, "patch")
        unit.flush()

    ward.unit(NATIVE, change)
    shown = decode(bytes(stored_bytes(ward, created.fhir_id)))
    assert shown["meta"]["versionId"] == "2"
    assert shown["component"][0]["valueQuantity"]["value"] == 56
    assert shown["performer"] == [{"reference": "Practitioner/s1"}]


@pytest.mark.parametrize("encounter", ["nowhere", "e1"])
def test_the_encounter_must_be_here_and_of_the_patient(ward: Records, encounter: str) -> None:
    value = hip(encounter={"reference": f"Encounter/{encounter}"}, subject={"reference": "Patient/p2"})
    with pytest.raises(Refused) as caught:
        ward.create(FHIR, "Observation", value)
    assert (caught.value.kind, caught.value.expression) == ("required", "Observation.encounter")


def test_a_member_keeps_its_case_when_it_is_replaced(ward: Records) -> None:
    value = component("rc-followup", "timepoint", coded("rc-followup-timepoint", "wk6"))
    follow = hip(value) | {
        "code": {"coding": [{"system": hip()["code"]["coding"][0]["system"], "code": "follow-up"}]}
    }
    member = ward.create(FHIR, "Observation", follow)
    owner = ward.create(FHIR, "Observation", hip(hasMember=[{"reference": f"Observation/{member.fhir_id}"}]))
    note = {"note": [{"text": "walks well"}]}
    ward.update(FHIR, "Observation", member.fhir_id, follow | {"id": member.fhir_id} | note)
    found = ward.unit(FHIR, lambda unit: unit.get("Observation", member.fhir_id).details["rc_followup"])
    assert (found["case_id"], found["notes"]) == (owner.resource_id, "walks well")


def test_each_table_of_cases_has_its_required_columns_filled_before_the_database_is_asked() -> None:
    for kind in KINDS.values():
        needed = {column.name for column in kind.table.table.c if not column.nullable}
        assert needed == {"id", "encounter_id"} | {column.name for column in kind.columns if column.required}
