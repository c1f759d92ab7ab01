"""Coverage: its columns, classes, kind of insurance, and what IN1 fills. https://hl7.org/fhir/R4/coverage.html"""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mappings import convert, v2lines
from mappings.element import Mapping, Refused, V2Context, cs
from mappings.resources.coverage import CLASS, COVERAGE
from mappings.search import parameters
from storage.model.clinical import CoverageClass
from storage.model.shared import Concept, Reference
from tests.fixtures.resources import decode, draw, numbered, read, repetition, text

CONTEXT = V2Context(zone=ZoneInfo("Europe/Amsterdam"))
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
SOPT = "https://nahdo.org/sopt"
OWN = cs("insurance-type")
FULL: dict[str, Any] = decode(
    """{
    "resourceType": "Coverage", "id": "c1",
    "identifier": [{"type": {"coding": [{"code": "MB"}]}, "value": "P-77"}],
    "status": "active",
    "type": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "PPO"}]},
    "policyHolder": {"reference": "Organization/o1"}, "subscriber": {"display": "Ortega, Ana"},
    "subscriberId": "S-1", "beneficiary": {"reference": "Patient/p1"}, "dependent": "02",
    "relationship": {"coding": [{"code": "self"}]},
    "period": {"start": "2024-01-01", "end": "2024-12-31"},
    "payor": [{"reference": "Organization/o2"}, {"display": "Second payer"}],
    "class": [{"type": {"coding": [{"code": "group"}]}, "value": "G-9", "name": "Dockers"},
              {"type": {"coding": [{"code": "plan"}]}, "value": "PL"}],
    "order": 1, "network": "West", "contract": [{"reference": "Contract/k1"}]
    }"""
)


def test_each_element_fills_its_column() -> None:
    record = read(COVERAGE, FULL)
    main = record.main
    assert (main["status"], main["position"], main["insurance_type"]) == ("active", 1, "commercial")
    assert (main["subscriber_number"], main["dependent"], main["network"]) == ("S-1", "02", "West")
    assert (main["period_start"], main["period_end"]) == ("2024-01-01", "2024-12-31")
    assert [row["display"] for row in record.rows(Reference, None, "payor")] == [None, "Second payer"]
    assert len(record.rows(Concept, None, "relationship")) == 1
    assert {link.column for link in record.links} == {"patient_id", "policy_holder_id", "subscriber_id"}


def test_classes_are_rows_in_order() -> None:
    record = read(COVERAGE, FULL)
    group, plan = record.rows(CoverageClass)
    assert (group["value"], group["name"]) == ("G-9", "Dockers")
    assert (plan["value"], plan["name"]) == ("PL", None)
    assert len(record.rows(Concept, plan["id"], "class.type")) == 1


def test_what_is_read_comes_back_with_nothing_left_over() -> None:
    record = read(COVERAGE, FULL)
    assert text(draw(COVERAGE, record)) == text(FULL)
    assert record.resource["remainder"] is None


def test_what_has_no_column_comes_back_with_its_decimals() -> None:
    given = FULL | decode(
        """{"costToBeneficiary": [{"type": {"text": "fee"}, "valueMoney": {"value": 20.50}}],
            "subrogation": false, "_network": {"id": "n"}}"""
    )
    record = read(COVERAGE, given)
    assert set(record.resource["remainder"]["x"]) == {"costToBeneficiary", "subrogation", "_network"}
    assert text(draw(COVERAGE, record)) == text(given)


def test_a_class_without_a_value_is_kept_but_is_no_row() -> None:
    odd = {"type": {"text": "group"}, "_value": {"extension": [{"url": "urn:why", "valueCode": "masked"}]}}
    given = FULL | {"class": [odd]}
    record = read(COVERAGE, given)
    assert record.rows(CoverageClass) == []
    assert text(draw(COVERAGE, record)) == text(given)


def test_an_element_that_is_changed_drops_what_was_left_of_the_old_one() -> None:
    record = read(COVERAGE, FULL | {"period": {"start": "2024", "id": "p", "_end": {"id": "e"}}})
    line = COVERAGE.by_element["period"]
    convert.replace_element(convert.top(record, COVERAGE, numbered()), line, "period", {"end": "2025"})
    assert draw(COVERAGE, record)["period"] == {"end": "2025"}


def test_a_status_that_is_not_listed_is_refused() -> None:
    with pytest.raises(Refused) as caught:
        read(COVERAGE, FULL | {"status": "lapsed"})
    assert caught.value.expression == "Coverage.status"


@pytest.mark.parametrize(
    ("codings", "kind"),
    [
        ([], None),
        ([("urn:other", "1")], None),
        ([(ACT, "HIP")], "commercial"),
        ([(ACT, "WCBPOL")], "workers_comp"),
        ([(ACT, "AUTOPOL")], "auto"),
        ([(ACT, "PUBLICPOL")], "other"),
        ([(SOPT, "111")], "medicare"),
        ([(SOPT, "2111")], "medicaid"),
        ([(SOPT, "311")], "tricare"),
        ([(SOPT, "32")], "va"),
        ([(SOPT, "38")], "other"),
        ([(SOPT, "81")], "self_pay"),
        ([(SOPT, "82")], "other"),
        ([("http://terminology.hl7.org/CodeSystem/coverage-selfpay", "pay")], "self_pay"),
        ([(ACT, "PUBLICPOL"), (SOPT, "21")], "medicaid"),
        ([(SOPT, "21"), (OWN, "va")], "va"),
        ([(OWN, "barter")], "other"),
    ],
)
def test_the_kind_of_insurance_follows_from_the_codes_of_the_type(
    codings: list[tuple[str, str]], kind: str | None
) -> None:
    listed = [{"system": system, "code": code} for system, code in codings]
    given = FULL | {"type": {"coding": listed} if listed else {"text": "some"}}
    assert read(COVERAGE, given).main["insurance_type"] == kind


MB = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MB"}]}
PLAN = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/coverage-class", "code": "plan"}]}
SAME = "http://terminology.hl7.org/CodeSystem/subscriber-relationship"


@pytest.mark.parametrize(
    ("mapping", "element", "field", "raw", "value"),
    [
        (COVERAGE, "identifier", "IN1-36", "P-77", {"type": MB, "value": "P-77"}),
        (COVERAGE, "identifier", "IN1-2", "PL^Gold^99X", {"system": "urn:hl7:cs:99X", "value": "PL"}),
        (COVERAGE, "identifier", "IN1-2", "^Gold", None),
        (COVERAGE, "class", "IN1-2", "PL^Gold", {"type": PLAN, "value": "PL", "name": "Gold"}),
        (COVERAGE, "class", "IN1-2", "^Gold", {"type": PLAN, "value": "Gold", "name": "Gold"}),
        (COVERAGE, "class", "IN1-2", "", None),
        (CLASS, "value", "IN1-8", "G-9", "G-9"),
        (CLASS, "name", "IN1-9", "Dockers^L", "Dockers"),
        (COVERAGE, "subscriberId", "IN1-49", "S-1^^^HIC", "S-1"),
        (COVERAGE, "subscriberId", "IN1-10", "S-2^^^HIC", "S-2"),
        (COVERAGE, "period", "IN1-12", "20240101", "2024-01-01"),
        (COVERAGE, "period", "IN1-13", "202412", "2024-12"),
        (
            COVERAGE,
            "type",
            "IN1-15",
            "HMO",
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0086", "code": "HMO"}]},
        ),
        (COVERAGE, "subscriber", "IN1-16", "Ortega^Ana^B", {"display": "Ortega, Ana B"}),
        (COVERAGE, "subscriber", "IN1-16", "", None),
        (COVERAGE, "relationship", "IN1-17", "SEL", {"coding": [{"system": SAME, "code": "self"}]}),
        (
            COVERAGE,
            "relationship",
            "IN1-17",
            "PAR",
            {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0063", "code": "PAR"}]},
        ),
        (COVERAGE, "order", "IN1-22", "2", 2),
        (COVERAGE, "order", "IN1-1", "1", 1),
    ],
)
def test_a_field_of_in1_is_read(mapping: Mapping, element: str, field: str, raw: str, value: Any) -> None:
    line = mapping.by_element[element]
    (told,) = [found for found in line.v2 if found.field == field]
    assert v2lines.v2_value(line, told, repetition(raw), CONTEXT) == value


def test_every_search_parameter_of_r4_is_there() -> None:
    wanted = """beneficiary class-type class-value dependent identifier patient payor policy-holder status
        subscriber type"""
    assert set(wanted.split()) <= parameters(COVERAGE).keys()
