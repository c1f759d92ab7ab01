"""What a version has no room for is spelt otherwise, moved to its new place, or left out.

HL7 v2.5.1, chapter 2A: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mappings import er7
from mappings.element import V2Context
from mappings.outbound.fill import Piece, Pieces
from mappings.outbound.fit import fit
from mappings.outbound.message import Envelope, order_message
from mappings.outbound.sheet import Sheet

AT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)


def fitted(segment: str, number: int, text: str, version: str = "2.5.1") -> str:
    """A field as a version has it: the same whether it was made or kept."""
    made, kept = Sheet(segment), Sheet(segment, {number: text})
    made.put(number, *text.split("~"))
    for sheet in (made, kept):
        fit(sheet, version)
    assert made.text.rstrip("|") == kept.text.rstrip("|")
    fields = made.text.split("|")
    return fields[number] if number < len(fields) else ""


@pytest.mark.parametrize(
    ("segment", "number", "text", "told"),
    [
        ("PID", 7, "Aug 15, 1942", ""),
        ("PID", 7, "19420815", "19420815"),
        ("PID", 7, "194213", ""),
        ("PID", 7, "20260301083015.1234567+0100", "20260301083015.1234+0100"),
        ("PID", 7, "2026030108", "202603010800"),
        ("PID", 7, "2026030108-0500", "202603010800-0500"),
        ("PID", 7, "2026^M", "2026^M"),
        ("PID", 25, "A", ""),
        ("PID", 25, "2", "2"),
        ("PID", 3, "1^^^CITY^MR^^today^20260301", "1^^^CITY^MR^^^20260301"),
        ("IN1", 13, "20171007150405-0500", "20171007"),
        ("IN1", 13, "2017", "2017"),
        ("OBR", 23, "20141006092900+0700", ""),
        ("OBR", 23, "12.5&USD", "12.5&USD"),
        ("OBR", 23, "x&USD", "&USD"),
        ("OBX", 5, "anything", "anything"),
        ("ZPI", 1, "anything", "anything"),
        ("NTE", 3, "20~x", "20~x"),
    ],
)
def test_values_that_are_not_of_their_type_are_left_out(
    segment: str, number: int, text: str, told: str
) -> None:
    assert fitted(segment, number, text) == told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("804 5693861^PRN^PH", "(804)569-3861^PRN^PH"),
        ("555-123-4567", "(555)123-4567"),
        ("+1 555 123 4567", "(555)123-4567"),
        ("555-1234", "555-1234"),
        ("(555)123-4567X12Cask first", "(555)123-4567X12Cask first"),
        ("+44 20 7946 0958^PRN^PH", "^PRN^PH^^^^^^+44 20 7946 0958"),
        ("+49 301234567", "^^^^^^^^+49 301234567"),
        ("2222^PRN^PH^^^^^^ask", "^PRN^PH^^^^^^ask"),
        ("^PRN^PH^^1^555^123-4567", "^PRN^PH^^1^555^1234567"),
        ("^NET^Internet^ann@example.org", "^NET^Internet^ann@example.org"),
    ],
)
def test_until_2_4_telephone_numbers_have_the_form_of_tn(text: str, told: str) -> None:
    assert fitted("PID", 13, text, "2.4") == told


def test_what_was_withdrawn_stands_where_it_stands_now() -> None:
    assert fitted("PID", 13, "2222^PRN^PH", "2.5.1") == "2222^PRN^PH"
    assert fitted("PID", 13, "2222^PRN^PH", "2.6") == "^PRN^PH^^^^^^^^^2222"
    assert fitted("PID", 5, "Roe^Ann^^^^MD^L", "2.7") == "Roe^Ann^^^^^L^^^^^^^MD"
    assert fitted("PV1", 7, "1^Roe^Ann^^^^MD", "2.8").split("^")[20] == "MD"
    assert [fitted(*field, "20260301", "2.7") for field in (("OBR", 6), ("AL1", 6), ("PV1", 52))] == [""] * 3
    assert fitted("OBR", 32, "1&Roe", "2.8") == "1&Roe"


def test_what_is_told_to_be_cleared_is_of_every_type() -> None:
    sheet = Sheet("PID")
    sheet.put(7, '""')
    fit(sheet, "2.5.1")
    assert sheet.text == 'PID|||||||""'


@pytest.mark.parametrize(
    ("kind", "value", "told"),
    [
        ("TM", "083000.123456", "083000.1234"),
        ("DTM", "20260301083000.123456+0100", "20260301083000.1234+0100"),
        ("TS", "20260301083000.123456+0100", "20260301083000.1234+0100"),
        ("DR", "2026^20260301083000.123456", "2026^20260301083000.1234"),
        ("NM", "unknown", "unknown"),
        ("ST", "083000.123456", "083000.123456"),
    ],
)
def test_a_result_is_respelt_and_never_left_out(kind: str, value: str, told: str) -> None:
    obx = Sheet("OBX")
    obx.put(2, kind)
    obx.put(5, value)
    fit(obx, "2.5.1")
    assert obx.fields[5] == [told]


def test_what_does_not_repeat_is_told_once() -> None:
    assert fitted("OBR", 3, "1^LAB~2^LAB") == "1^LAB"
    assert fitted("PID", 3, "1~2") == "1~2"
    assert fitted("PID", 3, "1~2", "2.1") == "1"


def order(version: str, **elements: Any) -> er7.Message:
    """An order of a patient with these elements, and what a sender wrote beside them."""
    value = {"resourceType": "Patient", "id": "p", "name": [{"family": "Quillfeather"}], **elements}
    asked = {"resourceType": "ServiceRequest", "id": "o", "status": "active", "intent": "order"}
    code = {"coding": [{"system": "http://loinc.org", "code": "2345-7"}]}
    piece = Piece({**asked, "code": code, "subject": {"reference": "Patient/p"}}, {"ORC": {"15": "soon"}})
    pieces = Pieces({"Patient/p": Piece(value)}, V2Context(UTC, {}, version))
    envelope = Envelope(("SUTURE", "OR"), ("LAB", "CITY"), "1", AT, version)
    built = order_message(envelope, "ORM_O01" if version < "2.7" else "OML_O21", piece, "NW", pieces)
    assert built.faults == ()
    return er7.read(built.text.encode())


def test_the_social_security_number_stands_in_pid_3_since_pid_19_was_withdrawn() -> None:
    number = {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "123-45-6789"}
    old, new = (order(version, identifier=[number]).first("PID") for version in ("2.6", "2.7"))
    assert old is not None
    assert new is not None
    assert (old.field(19).raw, new.field(19).raw) == ("123-45-6789", "")
    assert [item.raw for item in new.field(3).repetitions] == ["123-45-6789^^^USSSA^SS"]


@pytest.mark.parametrize("version", ["2.3", "2.4", "2.5.1", "2.6", "2.7", "2.8"])
def test_a_whole_message_is_fitted(version: str) -> None:
    message = order(version, telecom=[{"system": "phone", "value": "804 569 3861"}])
    pid, orc = message.first("PID"), message.first("ORC")
    assert pid is not None
    assert orc is not None
    place, spelt = (1, "(804)569-3861") if version < "2.5" else (1 if version < "2.6" else 12, "804 569 3861")
    assert pid.field(13).first.component(place) == spelt
    assert orc.field(15).raw == ""
