"""Each line works both ways: what a field is read as is written as a text that reads the same.

https://hl7.org/fhir/uv/v2mappings/2024Sep/
"""

from __future__ import annotations

from datetime import UTC
from typing import Any

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from mappings import v2values
from mappings.element import V2, Line, Rows, V2Context
from mappings.er7 import Field, Repetition, escape
from mappings.er7_delimiters import DEFAULT
from mappings.outbound import values
from mappings.outbound.fill import Piece, Pieces
from mappings.outbound.order import order_segments
from mappings.outbound.spelling import likeness, spell, weight
from mappings.resources.condition import CONDITION
from mappings.resources.diagnostic_report import DIAGNOSTIC_REPORT
from mappings.resources.encounter import DIAGNOSIS, ENCOUNTER
from mappings.resources.observation import OBSERVATION
from mappings.resources.patient import CONTACT, PATIENT
from mappings.resources.service_request import SERVICE_REQUEST
from mappings.resources.specimen import SPECIMEN
from mappings.v2lines import v2_lines, v2_value

SEGMENTS = ("PID", "PD1", "NK1", "PV1", "PV2", "ORC", "OBR", "TQ1", "DG1", "SPM", "OBX", "NTE", "ZDS", "IPC")
MAPPINGS = (
    *(PATIENT, CONTACT, ENCOUNTER, DIAGNOSIS, CONDITION, SERVICE_REQUEST, SPECIMEN, DIAGNOSTIC_REPORT),
    OBSERVATION,
)
LINES: list[tuple[str, Line, V2]] = [
    (f"{mapping.type}.{line.element} {field.field}", line, field)
    for mapping in MAPPINGS
    for line, fields, _ in v2_lines(mapping, SEGMENTS)
    for field in fields
]
ALTERNATE_WITH_ITS_VERSION = "^^^M^^^^2.5"
CONTEXT = V2Context(UTC, {"MRN": "https://hospital.example.org/mrn"})

words = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), min_size=1, max_size=8
)
codes = st.sampled_from(
    [
        "F",
        "M",
        "L",
        "H",
        "A",
        "S",
        "R",
        "N",
        "P",
        "E",
        "I",
        "O",
        "D",
        "U",
        "X",
        "Y",
        "PH",
        "CP",
        "NET",
        "PRN",
        "WPN",
        "INTERNET",
        "MR",
        "VN",
        "SS",
        "LN",
        "SCT",
        "HL70078",
        "UCUM",
        "ISO",
        "URI",
        "MRN",
        "12",
        "1.5",
        "2.16.840.1.113883.4.1",
        "20260301",
        "202603010830",
        "20260301083015.25+0130",
        "1990",
        "PRN",
    ]
)
parts = st.one_of(st.just(""), codes, words).map(lambda text: escape(text, DEFAULT))
components = st.lists(parts, min_size=1, max_size=3).map("&".join)
repetitions = st.lists(components, min_size=1, max_size=13).map("^".join)


def read(line: Line, field: V2, text: str) -> Any:
    """The value that a text reads as, None for what is no value."""
    try:
        return v2_value(line, field, Repetition(text, DEFAULT), CONTEXT)
    except (ValueError, ArithmeticError):
        return None


def values_read(line: Line, field: V2, text: str) -> list[Any]:
    """The values that a text reads as: one XTN may be a telephone number and an e-mail address."""
    value = read(line, field, text)
    several = isinstance(line, Rows) and isinstance(value, list)
    return value if several else [] if value is None else [value]


@pytest.mark.parametrize(
    ("line", "field"), [(line, field) for _, line, field in LINES], ids=[x for x, *_ in LINES]
)
@settings(max_examples=20)
@given(text=repetitions)
@example(text=ALTERNATE_WITH_ITS_VERSION)
def test_what_a_field_is_read_as_is_written_so(line: Line, field: V2, text: str) -> None:
    for value in values_read(line, field, text):
        (again,) = values_read(line, field, spell(line, field, value, CONTEXT).text)
        assert likeness(again, value) == weight(value), (value, again)


KINDS = st.sampled_from(["NM", "SN", "CE", "CWE", "ST", "TX", "DT", "TM", "DR", "NR", "NA", "ED", "RP"])
numbers = st.decimals(allow_nan=False, allow_infinity=False, places=2, min_value=-999, max_value=999).map(str)
values_of = {
    "NM": numbers,
    "SN": st.builds("{}^{}".format, st.sampled_from(["", "<", ">=", ">"]), numbers)
    | st.builds("^{}^{}^{}".format, numbers, st.sampled_from("-:/"), numbers),
    "NR": st.builds("{}^{}".format, numbers, numbers),
    "NA": st.lists(numbers, min_size=2, max_size=5).map("^".join),
    "TM": st.sampled_from(["0830", "083015", "23"]),
    "DT": st.sampled_from(["20260301", "202603", "2026"]),
    "DR": st.sampled_from(["20260301^20260302", "202603010800+0000^202603010900+0000"]),
    "ED": st.sampled_from(["^AP^PDF^Base64^aGVsbG8=", "^IM^JPEG^Hex^00FF", "^TEXT^PLAIN^A^hello"]),
    "RP": st.sampled_from(["https://example.org/x^^AP^PDF"]),
}


@st.composite
def told(draw: st.DrawFn) -> tuple[str, str, str]:
    """OBX-2, OBX-5 and OBX-6."""
    kind = draw(KINDS)
    text = draw(values_of.get(kind, st.lists(parts, min_size=1, max_size=3).map("^".join)))
    return kind, text, draw(st.sampled_from(["", "mg/dL", "mg/dL^^UCUM", "g^gram^UCUM"]))


@given(told())
@example(("SN", "<^5", "mg/dL"))
@example(("NM", "05.100", ""))
def test_what_obx_5_is_read_as_is_written_so(obx: tuple[str, str, str]) -> None:
    kind, text, unit = obx
    units = Field(unit, DEFAULT)
    found = v2values.repetitions(Field(text, DEFAULT), kind, units, CONTEXT)
    assume(found and found[0].fits and found[0].element != "valueRatio")
    holder = {found[0].element: [found[0].value] if found[0].element == "extension" else found[0].value}
    written = values.value(holder, "ST", "2.5.1")
    again = v2values.repetitions(
        Field("~".join(written.texts), DEFAULT), written.kind, Field(written.unit, DEFAULT), CONTEXT
    )
    assert [item[:2] for item in again] == [item[:2] for item in found[:1]]


@given(words, words)
def test_no_text_of_an_order_breaks_its_segment(number: str, reason: str) -> None:
    order = {
        "resourceType": "ServiceRequest",
        "id": "1",
        "status": "active",
        "intent": "order",
        "identifier": [
            {
                "type": {
                    "coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "PLAC"}]
                },
                "system": "urn:hl7:hd:EHR",
                "value": number,
            }
        ],
        "reasonCode": [{"text": f"{reason}|^~\\&\r\n{reason}"}],
    }
    pieces = Pieces({}, CONTEXT)
    orc, obr = order_segments(Piece(order), "NW", pieces, None)
    assert "\r" not in obr.text
    assert orc.text.count("|") == len(orc.text.split("|")) - 1 <= 9
    assert read(*line_of("OBR-31"), obr.fields[31][0])["text"].startswith(reason)


def line_of(name: str) -> tuple[Line, V2]:
    """The line of a field of an order."""
    return next((line, field) for label, line, field in LINES if label == f"ServiceRequest.reasonCode {name}")
