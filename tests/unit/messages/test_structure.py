"""Where messages depart from their structure.

HL7 v2.5.1, section 2.12: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import pytest

from mappings.er7 import read
from mappings.messages.structure import deviations

PID, ORC, OBR = "PID|1||7^^^CITY^MR||Doe^Ann", "ORC|NW|A1", "OBR|1|A1||71020^Chest^C4"
OBX = "OBX|1|NM|718-7^Hb^LN||13.2||||||F"


def found(
    *segments: str, kind: str = "ORM^O01", version: str = "2.5.1"
) -> list[tuple[str, str, int, int, int]]:
    head = f"MSH|^~\\&|A|B|C|D|20260110||{kind}|7|P|{version}"
    message = read("\r".join([head, *segments]).encode() + b"\r")
    return [(w.code, w.segment, w.sequence, w.field, w.component) for w in deviations(message)]


@pytest.mark.parametrize(
    ("kind", "segments"),
    [
        ("ORM^O01", [PID, ORC, OBR]),
        ("ORM^O01", [PID, "PV1|1|I", ORC, OBR, "NTE|1||x", OBX, ORC, OBR]),
        ("ORM^O01", [PID, "ZPI|1", ORC, OBR, "ZDS|1.2.3"]),
        ("ORM^O01", [ORC]),
        ("ORU^R01", [PID, OBR, OBX, OBX, OBR, OBX]),
        ("ADT^A08", ["EVN||20260110", PID, "PV1|1|I"]),
        ("ADT^A31^ADT_A05", ["EVN||20260110", PID, "PV1|1|I"]),
    ],
)
def test_a_message_that_follows_its_structure_has_no_deviations(kind: str, segments: list[str]) -> None:
    assert found(*segments, kind=kind) == []


@pytest.mark.parametrize(
    ("segments", "told"),
    [
        ([PID], [("100", "ORC", 1, 0, 0)]),
        ([ORC, OBR, PID], [("100", "PID", 1, 0, 0)]),
        ([PID, PID, ORC, OBR], [("100", "PID", 2, 0, 0)]),
        ([PID, OBR], [("100", "ORC", 1, 0, 0), ("100", "OBR", 1, 0, 0)]),
        ([PID, "NK1|1|Doe", ORC, OBR, "AL1|1||x"], [("100", "NK1", 1, 0, 0), ("100", "AL1", 1, 0, 0)]),
    ],
)
def test_what_is_missing_or_out_of_its_place_is_named(
    segments: list[str], told: list[tuple[str, str, int, int, int]]
) -> None:
    assert found(*segments) == told


@pytest.mark.parametrize(
    ("segment", "told"),
    [
        ("PID|1||||Doe", ("101", "PID", 1, 3, 0)),
        ("PID|1||7||Doe||Aug 15, 1942", ("102", "PID", 1, 7, 1)),
        ("PID|1||7||Doe||19420815~19420816", ("102", "PID", 1, 7, 0)),
        ("PID|one||7||Doe", ("102", "PID", 1, 1, 0)),
    ],
)
def test_fields_that_are_not_as_they_should_be_are_named(
    segment: str, told: tuple[str, str, int, int, int]
) -> None:
    assert found(segment, ORC, OBR) == [told]


def test_the_value_of_an_observation_is_of_the_datatype_that_it_says() -> None:
    bad = OBX.replace("13.2", "NOVALUE")
    assert found(PID, OBR, bad, kind="ORU^R01") == [("102", "OBX", 1, 5, 0)]
    assert found(PID, OBR, bad.replace("|NM|", "|ST|"), kind="ORU^R01") == []


def test_codes_are_those_of_the_tables_that_the_standard_fills() -> None:
    assert found(PID, ORC.replace("NW", "QQ"), OBR) == [("103", "ORC", 1, 1, 0)]
    # Table 0001 (sex) is each site's own.
    assert found(f"{PID}|||X", ORC, OBR) == []


def test_a_field_that_is_to_be_cleared_is_there() -> None:
    assert found('PID|1||7||Doe||""', ORC, OBR) == []


def test_of_a_structure_that_its_version_has_not_the_segments_are_looked_at_alone() -> None:
    assert found("XYZ|1", "PID|1", version="2.8") == [("101", "PID", 1, 3, 0), ("101", "PID", 1, 5, 0)]


def test_a_version_that_the_tables_lack_is_read_as_the_one_before_it() -> None:
    assert found(PID, OBR, OBX.replace("||13.2", "|1|x"), kind="ORU^R01", version="2.7.1") == [
        ("102", "OBX", 1, 5, 0)
    ]


def test_not_more_is_told_than_anybody_reads() -> None:
    assert len(found(*["PID|x"] * 200)) == 50
