"""What stands in an acknowledgement that comes over a socket, version by version, condition by condition.

HL7 v2.5.1, section 2.9.2, and table 0357: https://hl7.org/fhir/R4/v2/0357/index.html
"""

from __future__ import annotations

import re

import pytest

from gateway.mllp.acknowledge import VERSIONS
from mappings.messages.coverage import MessageRefused
from mappings.messages.handlers import HANDLERS
from mappings.messages.workspace import Desk
from storage.errors import Contended
from tests.wire.conftest import Running
from tests.wire.messages import acknowledgement, conditions, msa, order

TIME = r"\d{14}[+-]\d{4}"
ID = "[0-9a-f]{20}"


def lines(answer: bytes) -> list[str]:
    assert answer.endswith(b"\r")
    return answer.decode().rstrip("\r").split("\r")


def without_number(control_id: str, version: str) -> bytes:
    """An order of a patient without identifier: AE 101."""
    return order(control_id, "A1", version=version).replace(b"PID|1||4711^^^CITY^MR|", b"PID|1|||")


@pytest.mark.parametrize("version", VERSIONS)
def test_each_version_gets_the_header_and_the_error_segment_that_it_knows(
    listener: Running, version: str
) -> None:
    taken, refused = listener.send(order("m1", "A1", version=version), without_number("m2", version))
    kind = "ACK^O01^ACK" if version >= "2.3.1" else "ACK^O01"
    header = rf"MSH\|\^~\\&\|SUTURE\|OR\|EHR\|CITY\|{TIME}\|\|{re.escape(kind)}\|{ID}\|P\|{version}"
    head, answer = lines(taken)
    assert re.fullmatch(header, head)
    assert answer == "MSA|AA|m1"
    head, answer, error = lines(refused)
    assert re.fullmatch(header, head)
    text = "PID-3 has no identifier"
    assert answer == ("MSA|AE|m2" if version >= "2.7" else f"MSA|AE|m2|{text}")
    if version == "2.1":
        assert error == "ERR|PID^1^3^101"
    elif version < "2.5":
        assert error == "ERR|PID^1^3^101&Required field missing&HL70357"
    else:
        assert error == f"ERR||PID^1^3|101^Required field missing^HL70357|E||||{text}"


def test_a_version_that_is_not_known_is_refused_in_the_nearest(listener: Running) -> None:
    for stated, answered in (("2.9", "2.8.2"), ("2.3.2", "2.3.1"), ("x", "2.5.1"), ("", "2.5.1")):
        (answer,) = listener.send(order("m1", "A1", version=stated))
        assert (msa(answer), lines(answer)[0].split("|")[11]) == (("AR", "m1"), answered)


def test_the_senders_delimiters_are_used_and_whole_fields_exchanged(listener: Running) -> None:
    sent = order("m1", "A1").decode().translate(str.maketrans("|^", "$*"))
    sent = sent.replace("$EHR$CITY$SUTURE$OR$", "$EHR*1.2*ISO$CITY*9$SUTURE$OR*3*DNS$")
    head, answer = lines(listener.send(sent.encode())[0])
    assert head.startswith("MSH$*~\\&$SUTURE$OR*3*DNS$EHR*1.2*ISO$CITY*9$")
    assert "$$ACK*O01*ACK$" in head
    assert answer == "MSA$AA$m1"


@pytest.mark.parametrize("control_id", [" 7 ", "a^b&c~d", r"x\F\y\T\z", "x" * 199, "ü"])
def test_the_control_id_comes_back_byte_for_byte(listener: Running, control_id: str) -> None:
    (answer,) = listener.send(order(control_id, "A1"))
    assert answer.split(b"\r")[1] == b"MSA|AA|" + control_id.encode()


def test_a_message_without_control_id_gets_none(listener: Running) -> None:
    assert lines(listener.send(order("", "A1"))[0])[1] == "MSA|AA"


def test_control_ids_of_acknowledgements_are_their_own(listener: Running) -> None:
    answers = listener.send(*(order(f"m{n}", f"A{n}") for n in range(5)))
    assert len({acknowledgement(answer).control_id for answer in answers}) == 5


def test_an_answer_copies_the_processing_id_and_asks_for_no_answer(listener: Running) -> None:
    sent = order("m1", "A1", processing_id="T^A").replace(b"|2.5.1\r", b"|2.5.1^USA|5||NE|AL\r", 1)
    (answer,) = listener.send(sent)
    assert lines(answer)[0].endswith("|T^A|2.5.1^USA")


@pytest.mark.parametrize(
    ("sent", "code", "expected", "place"),
    [
        (order("m1", "A1", kind=""), "AR", ("101", "E"), "MSH^1^9"),
        (order("m1", "A1", kind="ZZZ^O01"), "AR", ("200", "E"), "MSH^1^9^1^1"),
        (order("m1", "A1", kind="ORM^O99"), "AR", ("201", "E"), "MSH^1^9^1^2"),
        (order("m1", "A1", processing_id=""), "AR", ("101", "E"), "MSH^1^11"),
        (order("m1", "A1", processing_id="X"), "AR", ("202", "E"), "MSH^1^11"),
        (order("m1", "A1", version=""), "AR", ("101", "E"), "MSH^1^12"),
        (order("m1", "A1", version="9.9"), "AR", ("203", "E"), "MSH^1^12"),
        (order("m1", "A1").split(b"PID")[0], "AE", ("100", "E"), "PID^1"),
        (order("m1", "A1").replace(b"4711^^^CITY^MR", b""), "AE", ("101", "E"), "PID^1^3"),
        (order("m1", "A1").replace(b"|19700101|", b"|Aug 15, 1942|"), "AA", ("102", "W"), "PID^1^7"),
        (order("m1", "A1").replace(b"ORC|NW|", b"ORC|QQ|"), "AA", ("103", "W"), "ORC^1^1"),
    ],
)
def test_each_condition_is_told_with_its_code_and_in_its_place(
    listener: Running, sent: bytes, code: str, expected: tuple[str, str], place: str
) -> None:
    (answer,) = listener.send(sent)
    error = acknowledgement(answer).first("ERR")
    assert error is not None
    assert (msa(answer), conditions(answer)[0], error.field(2).raw) == ((code, "m1"), expected, place)


@pytest.mark.parametrize(
    ("raised", "code", "condition"),
    [
        (MessageRefused("204", "ORC", 1, 2), "AR", "204"),
        (MessageRefused("205", "ORC", 1, 2), "AR", "205"),
        (Contended(), "AE", "206"),
        (ZeroDivisionError(), "AE", "207"),
    ],
)
def test_what_goes_wrong_on_the_way_is_told_by_its_condition(
    listener: Running, monkeypatch: pytest.MonkeyPatch, raised: Exception, code: str, condition: str
) -> None:
    def fail(_: Desk) -> None:
        raise raised

    monkeypatch.setitem(HANDLERS, ("ORM", "O01"), fail)
    (answer,) = listener.send(order("m1", "A1"))
    assert (msa(answer)[0], conditions(answer)[0][0]) == (code, condition)


@pytest.mark.parametrize("version", ["2.3", "2.5.1", "2.7"])
def test_no_patient_data_stands_in_an_acknowledgement(listener: Running, version: str) -> None:
    sent = order("m1", "A1", version=version)
    for bad in (b"|F\r", b"|19700101|"):
        changed = sent.replace(bad, bad.replace(b"F", b"Quillfeather").replace(b"1970", b"Quill"))
        (answer,) = listener.send(changed)
        assert b"Quill" not in answer
