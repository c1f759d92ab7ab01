"""Research cases read from FHIR: components and columns, what is refused, what stays. https://hl7.org/fhir/R4/observation.html"""

from __future__ import annotations

from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from mappings import research
from mappings.concepts import LOINC
from mappings.concepts import SNOMED as SCT
from mappings.element import Refused
from mappings.research.codes import ALL
from mappings.research.instruments import BY_LOINC, INSTRUMENTS
from mappings.resources.observation import OBSERVATION
from storage.model.research import KINDS, MEMBERS
from tests.fixtures.research_cases import (
    HIP,
    NATIVE,
    case,
    coded,
    columns_of_rows,
    component,
    detail,
    hip,
    outcome,
    quantity,
    refused,
)
from tests.fixtures.resources import draw, numbered, read, text


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
