"""What a change of a research case's columns does to its observation. https://hl7.org/fhir/R4/observation.html"""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from mappings import convert, research
from mappings.concepts import LOINC
from mappings.concepts import SNOMED as SCT
from mappings.element import Refused
from mappings.research.codes import ALL, CASE, COMMON
from mappings.research.components import component_of, fresh_ids
from mappings.resources.observation import OBSERVATION
from storage.model.observation import ObservationComponent
from storage.model.shared import Reference
from tests.fixtures.research_cases import (
    HIP,
    NATIVE,
    SG,
    case,
    coded,
    component,
    detail,
    hip,
    outcome,
    quantity,
)
from tests.fixtures.resources import draw, numbered, read, text


def test_a_case_made_here_is_a_panel_with_the_registrys_codings() -> None:
    people = {"procedure_id": "x1", "surgeon_id": "s1", "trainee_id": "t1"}
    told = {"side": "left", "cup_size": 54, "bmi_at_surgery": Decimal("27.5"), "surgery_date": "2026-01-20"}
    values = {**NATIVE, **people, **told, "status": "final"}
    record = research.new_case("hiparthroplasty", values, numbered())
    record.resource["fhir_id"] = "c1"
    record.resource["last_updated"] = (
        record.resource["last_updated"] or read(OBSERVATION, hip()).resource["last_updated"]
    )
    made = draw(OBSERVATION, record)
    assert made["status"] == "final"
    assert made["code"] == {"coding": [{"system": CASE, "code": "hip-arthroplasty"}]}
    assert made["category"][0]["coding"][0]["code"] == "procedure"
    assert made["bodySite"]["coding"][0] == {"system": SCT, "code": "24136001"}
    assert made["partOf"] == [{"reference": "Procedure/x1"}]
    assert made["performer"] == [{"reference": "Practitioner/s1"}, {"reference": "Practitioner/t1"}]
    assert made["effectiveDateTime"] == "2026-01-20"
    side, bmi, cup = made["component"]
    assert [coding["code"] for coding in side["valueCodeableConcept"]["coding"]] == ["left", "7771000"]
    assert bmi["code"]["coding"] == [
        {"system": COMMON, "code": "bmi_at_surgery"},
        {"system": LOINC, "code": "39156-5"},
    ]
    assert cup == component(HIP, "cup_size", quantity(54))


SENT = hip(
    {"code": {"text": "first"}, "valueString": "free"},
    component(HIP, "cup_size", quantity(Decimal("5.4"), "cm"))
    | {"id": "cup", "interpretation": [{"text": "large"}], "extension": [{"url": "urn:x", "valueCode": "y"}]},
    {
        "code": {
            "coding": [{"system": LOINC, "code": "1-1"}, {"system": f"{SG}{HIP}", "code": "approach"}],
            "text": "way",
        },
        "valueCodeableConcept": {
            "coding": [{"system": f"{SG}{HIP}-approach", "code": "anterior", "display": "Front"}]
        },
    },
    component("rc-common", "side", coded("rc-common-side", "left")),
)


def test_a_change_refreshes_its_component_in_place_and_leaves_the_others() -> None:
    record = read(OBSERVATION, SENT)
    research.change_case(record, {"cup_size": 56}, numbered())
    wanted = deepcopy(SENT)
    wanted["component"][1] = component(HIP, "cup_size", quantity(56)) | {
        "id": "cup",
        "extension": [{"url": "urn:x", "valueCode": "y"}],
    }
    assert text(draw(OBSERVATION, record)) == text(wanted)


def test_clearing_a_column_takes_its_component_away_and_setting_it_puts_one_in_column_order() -> None:
    record = read(OBSERVATION, SENT)
    research.change_case(record, {"cup_size": None, "stem_collared": True, "asa_class": 2}, numbered())
    made = draw(OBSERVATION, record)["component"]
    names = [part["code"].get("text") or part["code"]["coding"][0]["code"] for part in made]
    assert names == ["first", "way", "side", "asa_class", "stem_collared"]
    assert [row["item_no"] for row in record.rows(ObservationComponent)] == [0, 1, 2, 3, 4]
    assert detail(read(OBSERVATION, draw(OBSERVATION, record)))["cup_size"] is None


def test_whoever_changes_a_column_the_component_follows() -> None:
    record = read(OBSERVATION, SENT)
    detail(record)["approach"] = "posterior"
    for hook in OBSERVATION.project:
        hook(record)
    made = draw(OBSERVATION, record)["component"][2]
    assert made["code"] == SENT["component"][2]["code"]
    assert made["valueCodeableConcept"] == {
        "coding": [{"system": f"{SG}{HIP}-approach", "code": "posterior"}]
    }


def test_a_header_column_that_changes_changes_its_element() -> None:
    record = read(
        OBSERVATION,
        hip(
            effectivePeriod={"start": "2026-01-01", "end": "2026-01-02"}, note=[{"time": "2026", "text": "a"}]
        ),
    )
    assert detail(record)["surgery_date"] == "2026-01-01"
    research.change_case(record, {"notes": "b", "registry_id": "R-1"}, numbered())
    made = draw(OBSERVATION, record)
    assert made["effectivePeriod"]["end"] == "2026-01-02"
    assert made["note"] == [{"time": "2026", "text": "b"}]
    research.change_case(record, {"surgery_date": "2025", "notes": None, "registry_id": None}, numbered())
    made = draw(OBSERVATION, record)
    assert (made["effectiveDateTime"], "effectivePeriod" in made, "note" in made, "identifier" in made) == (
        "2025",
        False,
        False,
        False,
    )


def test_an_element_that_changes_by_itself_is_taken_over_by_adopting_it() -> None:
    value = outcome("HHS", **quantity(80, "{score}"))
    record = read(OBSERVATION, value)
    line = OBSERVATION.by_element["valueQuantity"]
    convert.replace_element(
        convert.top(record, OBSERVATION, numbered()),
        line,
        "valueQuantity",
        quantity(90, "{score}")["valueQuantity"],
    )
    research.adopt(record)
    for hook in OBSERVATION.project:
        hook(record)
    assert detail(record)["score"] == 90
    assert draw(OBSERVATION, record)["valueQuantity"]["value"] == 90


def test_adopting_routes_an_observation_that_was_filled_element_by_element() -> None:
    record = read(OBSERVATION, case("x"))
    line = OBSERVATION.by_element["code"]
    convert.replace_element(convert.top(record, OBSERVATION, numbered()), line, "code", hip()["code"])
    research.adopt(record)
    assert list(record.details) == ["rc_hiparthroplasty"]
    convert.replace_element(convert.top(record, OBSERVATION, numbered()), line, "code", {"text": "x"})
    research.adopt(record)
    assert record.details == {}


def test_references_are_foreign_keys_of_the_detail_row() -> None:
    record = read(
        OBSERVATION,
        hip(
            partOf=[{"reference": "Immunization/i"}, {"reference": "Procedure/x1"}],
            performer=[
                {"reference": "Organization/o"},
                {"reference": "Practitioner/s1"},
                {"reference": "Practitioner/t1"},
            ],
        ),
    )
    row = detail(record)
    found = {
        link.column: (link.reference["target_fhir_id"], link.table)
        for link in record.links
        if link.row is row
    }
    assert found == {
        "encounter_id": ("e1", "encounter"),
        "procedure_id": ("x1", "procedure"),
        "surgeon_id": ("s1", "practitioner"),
        "trainee_id": ("t1", "practitioner"),
    }


def test_a_resolved_reference_is_its_key_and_a_removed_one_clears_it() -> None:
    record = read(OBSERVATION, hip(partOf=[{"reference": "Procedure/x1"}]))
    for path in ("encounter", "partOf"):
        record.rows(Reference, None, path)[0]["target_id"] = UUID(int=77)
    research.project(record)
    assert (detail(record)["encounter_id"], detail(record)["procedure_id"]) == (UUID(int=77), UUID(int=77))
    research.change_case(record, {"procedure_id": None}, numbered())
    assert detail(record)["procedure_id"] is None
    assert "partOf" not in draw(OBSERVATION, record)


def test_changing_the_surgeon_keeps_the_other_performers() -> None:
    performers = [
        {"reference": "Practitioner/s1"},
        {"reference": "Organization/o"},
        {"reference": "Practitioner/t1", "display": "T"},
    ]
    record = read(OBSERVATION, hip(performer=performers))
    research.change_case(record, {"surgeon_id": "s2"}, numbered())
    assert draw(OBSERVATION, record)["performer"] == [
        {"reference": "Practitioner/s2"},
        performers[2],
        performers[1],
    ]
    with pytest.raises(Refused) as caught:
        research.change_case(record, {"surgeon_id": None}, numbered())
    assert caught.value.expression == "surgeon_id"


def test_a_member_belongs_to_the_case_that_names_it() -> None:
    owner = research.new_case("hiparthroplasty", NATIVE, numbered())
    member = research.new_case("rc_followup", {"patient_id": "p1", "timepoint": "wk6"}, iter_ids(900))
    score = research.new_case(
        "outcome", {"patient_id": "p1", "instrument": "HHS", "score": 80}, iter_ids(950)
    )
    research.add_member(owner, "m1")
    research.add_member(owner, "m1")
    assert [row["target_fhir_id"] for row in research.member_references(owner)] == ["m1"]
    assert research.claim(owner, member)
    assert not research.claim(owner, member)
    assert detail(member)["case_id"] == owner.resource["id"]
    assert research.claim(member, score)
    assert detail(score)["followup_id"] == member.resource["id"]
    assert not research.claim(score, member)


def iter_ids(start: int) -> Any:
    numbers = iter(range(start, start + 40))
    return lambda: UUID(int=next(numbers))


def test_an_update_over_fhir_leaves_a_member_with_its_case() -> None:
    value = case("complication", component("rc-complication", "kind", coded("rc-complication-kind", "dvt")))
    before, after = read(OBSERVATION, value), read(OBSERVATION, value)
    detail(before)["case_id"] = UUID(int=5)
    convert.carry(OBSERVATION, before, after, numbered())
    assert detail(after)["case_id"] == UUID(int=5)


def test_a_component_made_here_is_read_for_its_own_column() -> None:
    for kind in ALL.values():
        for column in kind.columns:
            if column.kind == "boolean":
                made = component_of(kind, column, True)
                assert made["valueBoolean"] is True
                assert made["code"]["coding"][0]["code"] == column.name


def test_ids_of_rows_made_while_rendering_follow_from_the_resource_and_never_repeat() -> None:
    record = read(OBSERVATION, SENT)
    first, again = fresh_ids(record), fresh_ids(record)
    made = [first() for _ in range(50)]
    assert made == [again() for _ in range(50)]
    assert len(set(made)) == 50
    assert {made_id.version for made_id in made} == {7}
