"""Research cases as JSON of the hospital's own applications, and in HL7v2. https://hl7.org/fhir/R4/observation.html"""

from __future__ import annotations

from datetime import timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from mappings import research
from mappings.element import Refused, V2Context
from mappings.er7 import read as read_message
from mappings.research.udi import parts_of_carrier
from mappings.research.v2 import column_name, kind_of_order, values_of
from mappings.resources.observation import OBSERVATION
from mappings.v2values import value as value_of_obx
from tests.fixtures.research_cases import NATIVE, case, detail
from tests.fixtures.resources import numbered, read


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
    assert (said["side"], said["cup_size"], said["cup_screws"]) == ("left", 54, 2)
    assert (said["dual_mobility"], said["cup_model"]) == (True, "P")
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
