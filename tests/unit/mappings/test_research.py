"""Research cases: components and columns, what is refused, what stays as it came. https://hl7.org/fhir/R4/observation.html"""

from __future__ import annotations

from copy import deepcopy
from datetime import timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from mappings import convert, research
from mappings.element import Refused, V2Context
from mappings.er7 import read as read_message
from mappings.research.codes import ALL, CASE, COMMON, LOINC, SCT, column_system
from mappings.research.components import component_of, fresh_ids
from mappings.research.instruments import BY_LOINC, INSTRUMENTS
from mappings.research.udi import parts_of_carrier
from mappings.research.v2 import column_name, kind_of_order, values_of
from mappings.resources.observation import OBSERVATION
from mappings.units import UCUM
from mappings.v2values import value as value_of_obx
from storage.model.observation import ObservationComponent
from storage.model.research import KINDS, MEMBERS
from storage.model.shared import Reference
from storage.record import Record
from tests.fixtures.resources import draw, numbered, read, text

HIP, KNEE, SCOPE = "rc-hiparthroplasty", "rc-kneearthroplasty", "rc-hipscope"
SG = "http://suture.example.org/fhir/CodeSystem/"
NATIVE: dict[str, Any] = {"patient_id": "p1", "encounter_id": "e1"}


def quantity(value: Any, unit: str | None = "mm", **more: Any) -> dict[str, Any]:
    told = {"unit": unit, "system": UCUM, "code": unit} if unit else {}
    return {"valueQuantity": {"value": value, **told, **more}}


def coded(system: str, code: str) -> dict[str, Any]:
    return {"valueCodeableConcept": {"coding": [{"system": SG + system, "code": code}]}}


def component(system: str, column: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"code": {"coding": [{"system": SG + system, "code": column}]}, **value}


def case(code: str, *components: dict[str, Any], **more: Any) -> dict[str, Any]:
    made = {
        "resourceType": "Observation",
        "id": "c1",
        "status": "preliminary",
        "code": {"coding": [{"system": CASE, "code": code}]},
        "subject": {"reference": "Patient/p1"},
        "encounter": {"reference": "Encounter/e1"},
        **more,
    }
    return made | ({"component": list(components)} if components else {})


def hip(*components: dict[str, Any], **more: Any) -> dict[str, Any]:
    return case("hip-arthroplasty", *components, **more)


def detail(record: Record) -> dict[str, Any]:
    (row,) = record.details.values()
    return row


def columns_of_rows(record: Record) -> list[str | None]:
    return [row["rc_column"] for row in record.rows(ObservationComponent)]


def refused(value: dict[str, Any]) -> Refused:
    with pytest.raises(Refused) as caught:
        read(OBSERVATION, value)
    return caught.value


# --- routing -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted({*KINDS, *MEMBERS} - {"rc_outcome", "rc_followup", "rc_other"}))
def test_a_case_is_routed_by_its_code(name: str) -> None:
    record = read(OBSERVATION, case(ALL[name].code))
    assert (record.main["detail"], list(record.details)) == (name, [name])


def test_any_other_observation_has_no_detail() -> None:
    value = case("hip-arthroplasty") | {
        "code": {"coding": [{"system": "urn:other", "code": "hip-arthroplasty"}]}
    }
    record = read(OBSERVATION, value)
    assert (record.main["detail"], record.details) == ("none", {})


@pytest.mark.parametrize(
    ("loinc", "instrument"), sorted((code, made.code) for code, made in BY_LOINC.items())
)
def test_a_score_with_the_loinc_code_of_an_instrument_is_an_outcome(loinc: str, instrument: str) -> None:
    low = INSTRUMENTS[instrument].low
    value = case("x") | {"code": {"coding": [{"system": LOINC, "code": loinc}]}} | quantity(low, "{score}")
    record = read(OBSERVATION, value)
    assert (detail(record)["instrument"], detail(record)["score"]) == (instrument, low)
    assert text(draw(OBSERVATION, record)) == text(value)


@pytest.mark.parametrize(
    "value",
    [
        {},
        {"valueInteger": 3},
        {"dataAbsentReason": {"text": "refused"}},
        quantity(30, "mm"),
        quantity(11, "{score}"),
        quantity(3, "{score}", comparator="<"),
    ],
)
def test_other_uses_of_such_a_loinc_code_stay_ordinary(value: dict[str, Any]) -> None:
    whole = case("x") | {"code": {"coding": [{"system": LOINC, "code": "38214-3"}]}} | value
    record = read(OBSERVATION, whole)
    assert record.main["detail"] == "none"
    assert text(draw(OBSERVATION, record)) == text(whole)


# --- components to columns ---------------------------------------------------------------------------------------


def test_components_fill_the_columns_of_their_names() -> None:
    value = hip(
        component("rc-common", "side", coded("rc-common-side", "left")),
        component("rc-common", "bmi_at_surgery", quantity(Decimal("27.50"), "kg/m2")),
        component(HIP, "approach", coded(f"{HIP}-approach", "anterior")),
        component(HIP, "cup_screws", {"valueInteger": 2}),
        component(HIP, "dual_mobility", {"valueBoolean": True}),
        component(HIP, "cup_model", {"valueString": "P"}),
        component(HIP, "releases", coded(f"{HIP}-releases", "conjoint")),
        component(HIP, "releases", coded(f"{HIP}-releases", "piriformis")),
        component("rc-common", "reoperation_date", {"valueDateTime": "2026-02"}),
        identifier=[{"system": "http://suture.example.org/fhir/sid/research-case", "value": "R-7"}],
        note=[{"authorString": "s", "text": "one"}, {"text": "two"}],
        effectiveDateTime="2026-01-20",
    )
    record = read(OBSERVATION, value)
    row = detail(record)
    assert (row["side"], str(row["bmi_at_surgery"]), row["approach"]) == ("left", "27.50", "anterior")
    assert (row["cup_screws"], row["dual_mobility"], row["cup_model"]) == (2, True, "P")
    assert row["releases"] == ["conjoint", "piriformis"]
    assert (row["reoperation_date"], row["reoperation_date_lo"].month) == ("2026-02", 2)
    assert (row["registry_id"], row["notes"], row["surgery_date"]) == ("R-7", "one\ntwo", "2026-01-20")
    assert columns_of_rows(record)[:3] == ["side", "bmi_at_surgery", "approach"]
    assert text(draw(OBSERVATION, record)) == text(value)


@pytest.mark.parametrize(
    ("sent", "column"),
    [
        (quantity(Decimal("5.40"), "cm"), "54"),
        (quantity(2, "[in_i]"), "50.8"),
        (quantity(54, None, unit="mm"), "54"),
        (quantity(Decimal("5.4e1"), "mm"), "54"),
    ],
)
def test_a_quantity_in_another_unit_is_converted_and_kept_as_sent(sent: dict[str, Any], column: str) -> None:
    value = hip(component(HIP, "cup_size", sent))
    record = read(OBSERVATION, value)
    assert str(detail(record)["cup_size"]) == column
    assert text(draw(OBSERVATION, record)) == text(value)


@pytest.mark.parametrize(
    "ordinary",
    [
        component(HIP, "approach", {"valueCodeableConcept": {"text": "through the front"}}),
        component(HIP, "approach", {"dataAbsentReason": {"text": "unknown"}}),
        component(HIP, "cup_size", {"dataAbsentReason": {"text": "unknown"}}),
        component(HIP, "cup_size", quantity(54, comparator=">")),
        component(HIP, "cup_size", {"valueQuantity": {"unit": "mm"}}),
        component(HIP, "cup_size", quantity(54))
        | {"modifierExtension": [{"url": "urn:not", "valueBoolean": True}]},
        component(HIP, "shoe_size", {"valueInteger": 44}),
        component(HIP, "notes", {"valueString": "in a component"}),
        component("elsewhere", "approach", coded("elsewhere", "x")),
        {"code": {"text": "free"}, "valueRatio": {"numerator": {"value": 1}}},
        component(HIP, "approach", {}),
    ],
)
def test_what_no_column_holds_stays_an_ordinary_component(ordinary: dict[str, Any]) -> None:
    value = hip(ordinary)
    record = read(OBSERVATION, value)
    assert columns_of_rows(record) == [None]
    assert (detail(record)["approach"], detail(record)["cup_size"]) == (None, None)
    assert text(draw(OBSERVATION, record)) == text(value)


def test_a_second_value_for_a_single_column_stays_an_ordinary_component() -> None:
    value = hip(
        component(HIP, "cup_size", quantity(54)),
        component(HIP, "cup_size", quantity(56)),
        component(HIP, "releases", coded(f"{HIP}-releases", "conjoint")),
        component(HIP, "releases", coded(f"{HIP}-releases", "conjoint")),
    )
    record = read(OBSERVATION, value)
    assert columns_of_rows(record) == ["cup_size", None, "releases", None]
    assert (detail(record)["cup_size"], detail(record)["releases"]) == (54, ["conjoint"])
    assert text(draw(OBSERVATION, record)) == text(value)


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (component(HIP, "approach", coded(f"{HIP}-approach", "from below")), "code-invalid"),
        (component(HIP, "approach", coded("elsewhere", "anterior-ish")), "code-invalid"),
        (component(HIP, "releases", coded(f"{HIP}-releases", "everything")), "code-invalid"),
        (component(HIP, "approach", {"valueString": "anterior"}), "code-invalid"),
        (component(HIP, "cup_size", {"valueInteger": 54}), "code-invalid"),
        (component(HIP, "cup_screws", quantity(2)), "code-invalid"),
        (component(HIP, "dual_mobility", {"valueString": "yes"}), "code-invalid"),
        (component("rc-common", "reoperation_date", {"valuePeriod": {"start": "2026"}}), "code-invalid"),
        (component(HIP, "cup_size", quantity(54, "kg")), "value"),
        (component(HIP, "cup_size", quantity(54, None)), "value"),
        (component(HIP, "cup_size", quantity(81)), "value"),
        (component(HIP, "head_length_mm", quantity(-9)), "value"),
        (component(HIP, "tonnis_grade", {"valueInteger": 4}), "value"),
        (component("rc-common", "asa_class", {"valueInteger": 0}), "value"),
        (component("rc-common", "operative_minutes", quantity(-1, "min")), "value"),
    ],
)
def test_a_wrong_value_is_refused_and_its_component_named(wrong: dict[str, Any], kind: str) -> None:
    error = refused(hip(component(HIP, "cup_model", {"valueString": "P"}), wrong))
    assert (error.kind, error.expression) == (kind, "Observation.component[1].value")
    assert error.allowed


def test_a_side_may_be_told_by_snomed_ct_alone() -> None:
    value = {"valueCodeableConcept": {"coding": [{"system": SCT, "code": "24028007"}]}}
    assert detail(read(OBSERVATION, hip(component("rc-common", "side", value))))["side"] == "right"
    both = {"valueCodeableConcept": {"coding": [{"system": SCT, "code": "51440002"}]}}
    assert refused(hip(component("rc-common", "side", both))).kind == "code-invalid"


def test_attributes_of_another_case_are_a_list() -> None:
    system = "rc-other-attribute"
    value = case(
        "other-case",
        component("rc-other", "procedure_name", {"valueString": "fixation"}),
        component(system, "torque", quantity(Decimal("1.50"), "N.m")),
        component(system, "plate", coded("rc-other-plate", "long")),
        component(system, "odd", {"valueRange": {"low": {"value": 1}}}),
    )
    record = read(OBSERVATION, value)
    assert detail(record)["attributes"] == [
        {"code": "torque", "kind": "quantity", "value": Decimal("1.50"), "unit": "N.m"},
        {"code": "plate", "kind": "enum", "value": "long"},
    ]
    assert columns_of_rows(record) == ["procedure_name", "attributes", "attributes", None]
    assert text(draw(OBSERVATION, record)) == text(value)


# --- what must be there ------------------------------------------------------------------------------------------


def test_a_case_needs_a_local_encounter() -> None:
    for encounter in ({"display": "somewhere"}, {"reference": "#e"}, {"reference": "http://x/Encounter/1"}):
        error = refused(hip(encounter=encounter))
        assert (error.kind, error.expression) == ("required", "Observation.encounter")


@pytest.mark.parametrize("status", ["final", "amended", "corrected"])
def test_a_finished_case_needs_a_side(status: str) -> None:
    error = refused(hip(status=status))
    assert (error.kind, error.expression) == ("required", "Observation.component")
    side = component("rc-common", "side", coded("rc-common-side", "left"))
    assert detail(read(OBSERVATION, hip(side, status=status)))["side"] == "left"


@pytest.mark.parametrize(
    ("value", "expression"),
    [
        (case("other-case"), "Observation.component"),
        (case("follow-up"), "Observation.component"),
        (case("outcome") | quantity(1, "{score}"), "Observation.code"),
    ],
)
def test_what_a_table_needs_is_required(value: dict[str, Any], expression: str) -> None:
    error = refused(value)
    assert (error.kind, error.expression) == ("required", expression)


def outcome(instrument: str, **more: Any) -> dict[str, Any]:
    codings = [
        {"system": CASE, "code": "outcome"},
        {"system": f"{SG}rc-outcome-instrument", "code": instrument},
    ]
    return case("x") | {"code": {"coding": codings}, **more}


@pytest.mark.parametrize(
    ("value", "kind", "expression"),
    [
        (outcome("HHS"), "required", "Observation.value"),
        (outcome("HHS", **quantity(101, "{score}")), "value", "Observation.value"),
        (outcome("EQ5D_INDEX", **quantity(Decimal("-1.1"), "1")), "value", "Observation.value"),
        (outcome("HHS", **quantity(5, "mm")), "value", "Observation.value"),
        (outcome("HHS", valueInteger=5), "code-invalid", "Observation.value"),
        (outcome("NOBODYS", **quantity(5, "{score}")), "code-invalid", "Observation.code"),
    ],
)
def test_a_score_must_be_within_its_instrument(value: dict[str, Any], kind: str, expression: str) -> None:
    error = refused(value)
    assert (error.kind, error.expression) == (kind, expression)


def test_the_encounter_of_a_case_is_checked_against_its_row() -> None:
    record = read(OBSERVATION, hip())
    mine, other = UUID(int=1001), UUID(int=1002)
    record.main["patient_id"] = mine
    for encounter in (
        None,
        {"patient_id": other, "period_start": "2026"},
        {"patient_id": mine, "period_start": None},
    ):
        with pytest.raises(Refused) as caught:
            research.check_encounter(record, encounter)
        assert caught.value.kind == "required"
    with pytest.raises(Refused) as caught:
        research.check_encounter(record, {"patient_id": mine, "period_start": None}, native=True)
    assert caught.value.expression == "surgery_date"
    research.check_encounter(record, {"patient_id": mine, "period_start": "2026"})
    dated = read(OBSERVATION, hip(effectiveDateTime="2026"))
    dated.main["patient_id"] = mine
    research.check_encounter(dated, {"patient_id": mine, "period_start": None})


def test_a_case_made_here_has_the_date_of_its_encounter_by_default() -> None:
    record = research.new_case("hipscope", NATIVE, numbered())
    research.default_date(record, {"period_start": "2026-01-02"})
    assert research.case_values(record)["surgery_date"] == "2026-01-02"
    assert record.main["effective_start"] == "2026-01-02"
    research.default_date(record, {"period_start": "2027"})
    assert research.case_values(record)["surgery_date"] == "2026-01-02"


# --- columns to components ---------------------------------------------------------------------------------------


def test_a_case_made_here_is_a_panel_with_the_registrys_codings() -> None:
    values = {**NATIVE, "procedure_id": "x1", "surgeon_id": "s1", "trainee_id": "t1", "side": "left", "cup_size": 54,
              "bmi_at_surgery": Decimal("27.5"), "surgery_date": "2026-01-20", "status": "final"}  # fmt: skip
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
    assert names == ["first", "way", "stem_collared", "side", "asa_class"]
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


# --- references --------------------------------------------------------------------------------------------------


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
    assert research.is_member_of(owner, "m1")
    assert research.claim(owner, member)
    assert not research.claim(owner, member)
    assert detail(member)["case_id"] == owner.resource["id"]
    assert research.live_dependents(detail(member), owner.resource["id"])
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


# --- the native interface ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "values", "expression", "reason"),
    [
        ("hiparthroplasty", {"approach": "below"}, "approach", "code-invalid"),
        ("hiparthroplasty", {"approach": 3}, "approach", "value"),
        ("hiparthroplasty", {"cup_size": 81}, "cup_size", "value"),
        ("hiparthroplasty", {"cup_size": "54"}, "cup_size", "value"),
        ("hiparthroplasty", {"cup_size": True}, "cup_size", "value"),
        ("hiparthroplasty", {"cup_screws": Decimal("1.5")}, "cup_screws", "value"),
        ("hiparthroplasty", {"dual_mobility": "yes"}, "dual_mobility", "value"),
        ("hiparthroplasty", {"releases": "conjoint"}, "releases", "value"),
        ("hiparthroplasty", {"releases": ["all"]}, "releases", "code-invalid"),
        ("hiparthroplasty", {"surgery_date": "20.1.2026"}, "surgery_date", "value"),
        ("hiparthroplasty", {"surgery_date": "2026-01-20T10:00"}, "surgery_date", "value"),
        ("hiparthroplasty", {"registry_id": "x" * 65}, "registry_id", "value"),
        ("hiparthroplasty", {"colour": "red"}, "colour", "value"),
        ("hiparthroplasty", {"status": "done"}, "status", "code-invalid"),
        ("hiparthroplasty", {"status": "final"}, "side", "required"),
        ("hiparthroplasty", {"encounter_id": None}, "encounter_id", "required"),
        ("hiparthroplasty", {"encounter_id": 5}, "encounter_id", "value"),
        ("hiparthroplasty", {"trainee_id": "t"}, "surgeon_id", "required"),
        ("kneearthroplasty", {"constraint": "none"}, "constraint", "code-invalid"),
        ("other", {}, "procedure_name", "required"),
        ("other", {"procedure_name": "x", "attributes": [{"code": "a"}]}, "attributes[0]", "value"),
        (
            "other",
            {"procedure_name": "x", "attributes": [{"code": "a", "kind": "?", "value": 1}]},
            "attributes[0].kind",
            "code-invalid",
        ),
        (
            "other",
            {"procedure_name": "x", "attributes": [{"code": "a", "kind": "date", "value": 1}]},
            "attributes[0].value",
            "value",
        ),
        ("followup", {}, "timepoint", "required"),
        ("outcome", {"instrument": "HHS"}, "score", "required"),
        ("outcome", {"instrument": "HHS", "score": 101}, "score", "value"),
        ("outcome", {"instrument": "?", "score": 1}, "instrument", "code-invalid"),
        ("arterialfindings", {"kind": "segment"}, "segment", "required"),
        ("arterialfindings", {"measure": "tasc", "measure_value": 1}, "measure_value", "value"),
        ("arterialfindings", {"measure": "tasc", "measure_class": "E"}, "measure_class", "code-invalid"),
    ],
)
def test_a_refusal_names_the_column(kind: str, values: dict[str, Any], expression: str, reason: str) -> None:
    with pytest.raises(Refused) as caught:
        research.new_case(kind, NATIVE | values, numbered())
    assert (caught.value.expression, caught.value.kind) == (expression, reason)


def test_json_has_its_own_words() -> None:
    knee = research.new_case("kneearthroplasty", {**NATIVE, "constraint": "medial_pivot"}, numbered())
    assert detail(knee)["constraint_type"] == "medial_pivot"
    assert research.case_values(knee)["constraint"] == "medial_pivot"
    for word, code in (("TSA", "anatomic"), ("RSA", "reverse"), ("hemi", "hemi")):
        shoulder = research.new_case(
            "shoulderarthroplasty", {**NATIVE, "arthroplasty_type": word}, numbered()
        )
        assert research.case_values(shoulder)["arthroplasty_type"] == code


def test_a_udi_carrier_fills_what_was_not_told() -> None:
    carrier = "(01)00844588003288(17)141120(10)A213B1(21)1234"
    record = research.new_case(
        "implant", {"patient_id": "p1", "udi_carrier": carrier, "lot_no": "mine"}, numbered()
    )
    row = detail(record)
    assert (row["udi_di"], row["lot_no"], row["serial_no"]) == ("00844588003288", "mine", "1234")
    assert parts_of_carrier("+H123PARTNO1234567890120/$$420020216LOT") == {}


def test_an_ordinary_observation_is_no_case() -> None:
    with pytest.raises(KeyError):
        research.case_values(read(OBSERVATION, case("x")))


# --- arterial findings -------------------------------------------------------------------------------------------


def arterial(code: str, **more: Any) -> dict[str, Any]:
    return case("x") | {"code": {"coding": [{"system": f"{SG}observation", "code": code}]}, **more}


SITE = {"coding": [{"system": f"{SG}artery", "code": "sfa_mid"}, {"system": SCT, "code": "7771000"}]}


def test_a_finding_of_a_segment_fills_its_columns() -> None:
    value = arterial(
        "arterial-finding",
        bodySite=SITE,
        partOf=[{"reference": "Procedure/x1"}],
        component=[
            component("observation", "stenosis_pct", quantity(Decimal("0.8"), "1")),
            component("observation", "length_mm", quantity(3, "cm")),
            component("observation", "source_modality", coded("arterial-finding-source_modality", "cta")),
        ],
        **coded("arterial-finding", "stenosis"),
    )
    record = read(OBSERVATION, value)
    row = detail(record)
    assert (row["kind"], row["segment"], row["side"], row["finding"]) == (
        "segment",
        "sfa_mid",
        "left",
        "stenosis",
    )
    assert (row["stenosis_pct"], row["length_mm"], row["source_modality"]) == (80, 30, "cta")
    assert [link.table for link in record.links if link.row is row] == ["procedure"]
    assert text(draw(OBSERVATION, record)) == text(value)


def test_an_index_fills_its_measure() -> None:
    codings = [
        {"system": f"{SG}observation", "code": "arterial-index"},
        {"system": f"{SG}arterial-finding-measure", "code": "toe_pressure"},
    ]
    value = case("x") | {"code": {"coding": codings}} | quantity(8, "kPa")
    row = detail(read(OBSERVATION, value))
    assert (row["kind"], row["measure"], str(row["measure_value"])) == ("index", "toe_pressure", "60.005")[
        :2
    ] + (str(row["measure_value"]),)
    assert abs(row["measure_value"] - Decimal("60.005")) < Decimal("0.001")


@pytest.mark.parametrize(
    ("value", "kind", "expression"),
    [
        (arterial("arterial-finding"), "required", "Observation.bodySite"),
        (arterial("arterial-index", bodySite=SITE), "required", "Observation.bodySite"),
        (
            arterial("arterial-finding", bodySite=SITE, valueString="open"),
            "code-invalid",
            "Observation.value",
        ),
        (
            arterial("arterial-finding", bodySite=SITE, **coded("arterial-finding", "fine")),
            "code-invalid",
            "Observation.value",
        ),
        (
            arterial("arterial-finding", bodySite={"coding": [{"system": f"{SG}artery", "code": "?"}]}),
            "code-invalid",
            "Observation.bodySite",
        ),
    ],
)
def test_a_wrong_arterial_finding_is_refused(value: dict[str, Any], kind: str, expression: str) -> None:
    error = refused(value)
    assert (error.kind, error.expression) == (kind, expression)


# --- HL7v2 -------------------------------------------------------------------------------------------------------

MESSAGE = """MSH|^~\\&|A|B|C|D|20260101||ORU^R01|1|P|2.5.1
OBR|1|||hip-arthroplasty^^99SGRC
OBX|1|CE|side^^99SGRC||left^^99SGRC
OBX|2|NM|cup_size^^99SGRC||5.4|cm^^UCUM
OBX|3|NM|cup_screws^^99SGRC||2
OBX|4|ID|dual_mobility^^99SGRC||Y
OBX|5|ST|cup_model^^99SGRC||P
OBX|6|CE|releases^^99SGRC|1|conjoint^^99SGRC
OBX|7|CE|releases^^99SGRC|2|piriformis^^99SGRC
OBX|8|DT|surgery_date^^99SGRC||20260120
OBX|9|NM|head_size_mm^^99SGRC||32"""
CONTEXT = V2Context(timezone(timedelta()))


def test_a_case_in_hl7v2_fills_the_same_columns() -> None:
    message = read_message(MESSAGE.replace("\n", "\r").encode())
    kind = kind_of_order(message.all("OBR")[0].field(4).first, CONTEXT)
    assert kind is not None
    observed: list[Any] = [
        (
            column_name(obx.field(3).first, CONTEXT),
            value_of_obx(obx.field(5), obx.field(2).text, obx.field(6), CONTEXT),
        )
        for obx in message.all("OBX")
    ]
    record = research.new_case(kind, NATIVE | values_of(kind, observed), numbered())
    said = research.case_values(record)
    assert {name: said[name] for name in ("side", "cup_size", "cup_screws", "dual_mobility", "cup_model")} == {
        "side": "left", "cup_size": 54, "cup_screws": 2, "dual_mobility": True, "cup_model": "P"
    }  # fmt: skip
    assert (said["releases"], said["surgery_date"], said["head_size_mm"]) == (
        ["conjoint", "piriformis"],
        "2026-01-20",
        32,
    )


@pytest.mark.parametrize(
    ("column", "kind", "raw", "unit"),
    [
        ("shoe_size", "NM", "44", ""),
        ("cup_size", "ST", "big", ""),
        ("cup_size", "NM", "5", "kg^^UCUM"),
        ("dual_mobility", "ST", "perhaps", ""),
        ("cup_size", "SN", ">^5", ""),
    ],
)
def test_what_a_column_cannot_hold_is_refused_by_its_name(
    column: str, kind: str, raw: str, unit: str
) -> None:
    message = read_message(
        f"MSH|^~\\&|A|B|C|D|20260101||ORU^R01|1|P|2.5.1\rOBX|1|{kind}|x||{raw}|{unit}".encode()
    )
    obx = message.all("OBX")[0]
    found: Any = value_of_obx(obx.field(5), kind, obx.field(6), CONTEXT)
    with pytest.raises(Refused) as caught:
        values_of("hiparthroplasty", [(column, found)])
    assert caught.value.expression == column


# --- the registry ------------------------------------------------------------------------------------------------


def test_every_column_is_a_component_or_has_its_place_in_the_header() -> None:
    for kind in ALL.values():
        record = Record(OBSERVATION.table, {"id": UUID(int=1)}, {})
        assert record.children == {}
        for column in kind.columns:
            assert column.header or column_system(kind, column).startswith(SG)


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
