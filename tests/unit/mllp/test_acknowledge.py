"""Acknowledgements: version by version, fault by fault, and what is copied from the request.

HL7 v2.5.1, section 2.9.2: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import importlib
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from gateway.mllp.acknowledge import (
    CONDITIONS,
    VERSIONS,
    Code,
    Fault,
    acknowledge,
    answer_version,
    code_for,
    header_fault,
    is_acknowledgement,
)
from mappings.er7 import Message, read

AT = datetime(2026, 1, 10, 8, 30, 5, tzinfo=timezone(timedelta(hours=-5)))
BAD_VALUE = Fault("102", "E", "OBX", 2, 5, 1, 3, "not a number")
WARNING = Fault("103", "W", "PID", 1, 8, text="unknown code | kept")
SUPPORTED = {("ORU", "R01"), ("ORM", "O01"), ("ADT", "A01")}


def request(
    version: str = "2.5.1", kind: str = "ORU^R01^ORU_R01", processing: str = "P", rest: str = ""
) -> Message:
    text = f"MSH|^~\\&|LAB^1.2^ISO|NORTH^N|OR|SOUTH^S^X|20260110||{kind}|id 7|{processing}|{version}{rest}\r"
    return read(text.encode())


def lines(raw: bytes) -> list[str]:
    assert raw.endswith(b"\r")
    return raw.decode().rstrip("\r").split("\r")


def answer(version: str, code: Code = Code.AA, *faults: Fault, kind: str = "ORU^R01^ORU_R01") -> list[str]:
    return lines(acknowledge(request(version, kind), code, faults, "new", AT))


HEADER = "MSH|^~\\&|OR|SOUTH^S^X|LAB^1.2^ISO|NORTH^N|20260110083005-0500||"


@pytest.mark.parametrize(
    ("version", "kind"),
    [
        ("2.1", "ACK^R01"),
        ("2.2", "ACK^R01"),
        ("2.3", "ACK^R01"),
        ("2.3.1", "ACK^R01^ACK"),
        ("2.4", "ACK^R01^ACK"),
        ("2.5", "ACK^R01^ACK"),
        ("2.5.1", "ACK^R01^ACK"),
        ("2.6", "ACK^R01^ACK"),
        ("2.7", "ACK^R01^ACK"),
        ("2.8.2", "ACK^R01^ACK"),
    ],
)
def test_success_is_two_segments_in_every_version(version: str, kind: str) -> None:
    assert answer(version) == [f"{HEADER}{kind}|new|P|{version}", "MSA|AA|id 7"]


@pytest.mark.parametrize(
    ("version", "msa", "err"),
    [
        ("2.1", "MSA|AE|id 7|not a number", ["ERR|OBX^2^5^102"]),
        ("2.2", "MSA|AE|id 7|not a number", ["ERR|OBX^2^5^102&Data type error&HL70357"]),
        ("2.4", "MSA|AE|id 7|not a number", ["ERR|OBX^2^5^102&Data type error&HL70357"]),
        (
            "2.5",
            "MSA|AE|id 7|not a number",
            ["ERR||OBX^2^5^1^3|102^Data type error^HL70357|E||||not a number"],
        ),
        (
            "2.6",
            "MSA|AE|id 7|not a number",
            ["ERR||OBX^2^5^1^3|102^Data type error^HL70357|E||||not a number"],
        ),
        ("2.7", "MSA|AE|id 7", ["ERR||OBX^2^5^1^3|102^Data type error^HL70357|E||||not a number"]),
        ("2.8.2", "MSA|AE|id 7", ["ERR||OBX^2^5^1^3|102^Data type error^HL70357|E||||not a number"]),
    ],
)
def test_a_fault_is_told_as_the_version_tells_it(version: str, msa: str, err: list[str]) -> None:
    assert answer(version, Code.AE, BAD_VALUE)[1:] == [msa, *err]


def test_several_faults_repeat_the_field_before_2_5_and_the_segment_after() -> None:
    missing = Fault("101", segment="PID", field=3)
    assert answer("2.4", Code.AE, BAD_VALUE, missing)[2:] == [
        "ERR|OBX^2^5^102&Data type error&HL70357~PID^1^3^101&Required field missing&HL70357"
    ]
    assert [line.split("|")[2] for line in answer("2.5", Code.AE, BAD_VALUE, missing)[2:]] == [
        "OBX^2^5^1^3",
        "PID^1^3",
    ]


def test_warnings_go_with_acceptance_where_a_severity_can_be_told() -> None:
    assert answer("2.5", Code.AA, WARNING)[1:] == [
        "MSA|AA|id 7|unknown code \\F\\ kept",
        "ERR||PID^1^8|103^Table value not found^HL70357|W||||unknown code \\F\\ kept",
    ]
    assert len(answer("2.4", Code.AA, WARNING)) == 2


def test_a_fault_without_a_place_leaves_the_place_empty() -> None:
    locked = Fault("206")
    assert answer("2.5", Code.AE, locked)[2] == "ERR|||206^Application record locked^HL70357|E"
    assert answer("2.3", Code.AE, locked)[2] == "ERR|^^^206&Application record locked&HL70357"


def test_internal_errors_keep_their_detail() -> None:
    raw = acknowledge(request(), Code.AE, [Fault("207", "F", text="row 5 of table x")], "new", AT)
    assert b"row 5" not in raw
    assert raw.count(b"Application internal error") == 3


def test_the_text_of_a_rule_reaches_the_sender() -> None:
    rule = Fault("207", "E", "ORC", 1, 1, text="The order is done")
    raw = acknowledge(request(), Code.AE, [rule], "new", AT)
    assert raw.count(b"The order is done") == 2


def test_a_condition_is_not_used_before_it_exists() -> None:
    long = Fault("104", segment="PID", field=5)
    assert "|102^" in answer("2.6", Code.AE, long)[2]
    assert "|104^" in answer("2.7", Code.AE, long)[2]
    with pytest.raises(ValueError, match="0357"):
        Fault("999")


def test_the_given_text_comes_before_that_of_a_fault() -> None:
    raw = acknowledge(request("2.4"), Code.AE, [BAD_VALUE], "new", AT, "see log")
    assert lines(raw)[1] == "MSA|AE|id 7|see log"


def test_the_control_id_comes_back_byte_for_byte() -> None:
    for control_id in (" 7 ", "a^b&c", r"x\F\y", "\xfc1"):
        raw = b"MSH|^~\\&|A|B|C|D|1||ADT^A01|" + control_id.encode("iso-8859-1") + b"|P|2.3\r"
        sent = acknowledge(read(raw), Code.AA, [], "new", AT)
        assert sent.split(b"\r")[1] == b"MSA|AA|" + control_id.encode("iso-8859-1")


def test_a_missing_control_id_stays_missing() -> None:
    raw = acknowledge(read(b"MSH|^~\\&|A|B|C|D|1||ADT^A01||P|2.3\r"), Code.AA, [], "new", AT)
    assert lines(raw)[1] == "MSA|AA"


def test_the_requests_delimiters_are_used() -> None:
    raw = b"MSH$*%/@$A*B$C$D$E$1$$ADT*A01$7$P$2.5.1\r"
    fault = Fault("102", segment="PID", sequence=1, field=7, text="what? 5$*")
    assert lines(acknowledge(read(raw), Code.AE, [fault], "new", AT)) == [
        "MSH$*%/@$D$E$A*B$C$20260110083005-0500$$ACK*A01*ACK$new$P$2.5.1",
        "MSA$AE$7$what? 5/F//S/",
        "ERR$$PID*1*7$102*Data type error*HL70357$E$$$$what? 5/F//S/",
    ]


def test_odd_encoding_characters_are_answered_in_order() -> None:
    raw = b"MSH|^~\\\\&|A|B|C|D|1||ADT^A01|7|P|2.6\r"
    assert acknowledge(read(raw), Code.AA, [], "new", AT).startswith(b"MSH|^~\\&|C|D|A|B|")


def test_the_character_set_is_copied_and_used() -> None:
    raw = "MSH|^~\\&|Möller|B|C|D|1||ADT^A01|7|P|2.5||||||8859/1\r".encode("iso-8859-1")
    sent = acknowledge(read(raw), Code.AE, [], "new", AT, "größer ≥ 5")
    assert sent.split(b"\r")[0].endswith(b"|P|2.5||||||8859/1")
    assert "|Möller|" in sent.decode("iso-8859-1")
    assert "|größer ? 5" in sent.decode("iso-8859-1")


def test_a_payload_without_msh_is_answered_with_defaults() -> None:
    fault = Fault("100", segment="MSH", text="no MSH")
    assert lines(acknowledge(None, code_for([fault]), [fault], "new", AT.astimezone(UTC))) == [
        "MSH|^~\\&|||||20260110083005+0000||ACK|new|P|2.5.1".replace("0830", "1330"),
        "MSA|AR||no MSH",
        "ERR||MSH^1|100^Segment sequence error^HL70357|E||||no MSH",
    ]


def test_a_bare_header_is_still_answered() -> None:
    assert lines(acknowledge(read(b"MSH|^~\\&|\r"), Code.AR, [], "new", AT)) == [
        "MSH|^~\\&|||||20260110083005-0500||ACK|new|P|2.5.1",
        "MSA|AR",
    ]


@pytest.mark.parametrize("control_id", ["", "x" * 21])
def test_a_control_id_that_old_peers_can_not_take_is_refused(control_id: str) -> None:
    with pytest.raises(ValueError, match="20 characters"):
        acknowledge(None, Code.AA, [], control_id, AT)


@pytest.mark.parametrize(
    ("stated", "answered"),
    [
        ("2.5.1", "2.5.1"),
        ("2.9", "2.8.2"),
        ("2.3.2", "2.3.1"),
        ("2.0", "2.1"),
        ("", "2.5.1"),
        ("v2", "2.5.1"),
        ("2." + "9" * 5000, "2.5.1"),
    ],
)
def test_an_unknown_version_is_answered_in_the_nearest(stated: str, answered: str) -> None:
    assert answer_version(stated) == answered
    assert lines(acknowledge(request(stated), Code.AR, [], "n", AT))[0].endswith(f"|{answered}")


def test_a_version_with_a_country_is_copied_since_2_3_1() -> None:
    assert answer("2.5.1^USA")[0].endswith("|2.5.1^USA")
    assert answer("2.3^USA")[0].endswith("|2.3")


@pytest.mark.parametrize(
    ("message", "code", "place"),
    [
        (request(), None, None),
        (request("2.5.1^USA^x"), None, None),
        (request(kind="ORU^R01"), None, None),
        (request(processing="T^A"), None, None),
        (request(kind="VXU^V04"), "200", (9, 1, 1)),
        (request(kind="ADT^A99"), "201", (9, 1, 2)),
        (request(kind="ADT"), "201", (9, 1, 2)),
        (request(kind=""), "101", (9, 0, 0)),
        (request("2.99"), "203", (12, 0, 0)),
        (request(""), "101", (12, 0, 0)),
        (request(processing="X"), "202", (11, 0, 0)),
        (request(processing=""), "101", (11, 0, 0)),
    ],
)
def test_the_header_is_checked(
    message: Message, code: str | None, place: tuple[int, int, int] | None
) -> None:
    fault = header_fault(message, SUPPORTED)
    assert (fault and fault.code) == code
    if fault:
        assert (fault.field, fault.repetition, fault.component) == place
        assert (fault.segment, code_for([fault])) == ("MSH", Code.AR)


def test_every_known_version_passes_the_header_check() -> None:
    assert [version for version in VERSIONS if header_fault(request(version), SUPPORTED)] == []


def test_an_endpoint_may_take_other_processing_ids() -> None:
    assert header_fault(request(processing="P"), SUPPORTED, {"T"}) is not None


@pytest.mark.parametrize(
    ("faults", "code"),
    [
        ([], Code.AA),
        ([WARNING, Fault("207", "I")], Code.AA),
        ([WARNING, BAD_VALUE], Code.AE),
        ([BAD_VALUE, Fault("204")], Code.AR),
        ([Fault("206")], Code.AE),
        ([Fault("207", "F")], Code.AE),
        ([Fault("102", segment="MSH", field=7)], Code.AE),
        ([Fault("101", segment="MSH", field=11)], Code.AR),
        ([Fault("100", segment="PID")], Code.AE),
    ],
)
def test_the_code_follows_from_the_worst_fault(faults: list[Fault], code: Code) -> None:
    assert code_for(faults) is code


def test_unsupported_headers_and_bad_keys_are_rejections() -> None:
    assert {code for code, row in CONDITIONS.items() if row.code is Code.AR} == {
        "200",
        "201",
        "202",
        "203",
        "204",
        "205",
    }


@pytest.mark.parametrize(
    ("raw", "is_one"),
    [
        (b"MSH|^~\\&|A|B|C|D|1||ACK|1|P|2.5\rMSA|AA|7\r", True),
        (b"MSH|^~\\&|A|B|C|D|1||ACK^A01|1|P|2.5\r", True),
        (b"MSH|^~\\&|A|B|C|D|1||ORR^O02|1|P|2.5\rMSA|AA|7\r", True),
        (b"MSH|^~\\&|A|B|C|D|1||ORU^R01|1|P|2.5\r", False),
    ],
)
def test_replies_are_recognised(raw: bytes, is_one: bool) -> None:
    assert is_acknowledgement(read(raw)) is is_one


@pytest.mark.parametrize("version", [version for version in VERSIONS if version not in ("2.7.1", "2.8.1")])
@pytest.mark.parametrize("faults", [[], [BAD_VALUE], [BAD_VALUE, Fault("207")]])
def test_another_reader_finds_the_acknowledgement_valid(version: str, faults: list[Fault]) -> None:
    sent = acknowledge(request(version), code_for(faults), faults, "new", AT).decode()
    strict, tolerant = 1, 2  # hl7apy needs the structure in MSH-9.3 to be strict; it came with 2.3.1
    level = strict if version >= "2.3.1" else tolerant
    parsed: Any = importlib.import_module("hl7apy.parser").parse_message(sent, validation_level=level)
    assert parsed.msa.msa_2.to_er7() == "id 7"
    assert parsed.msh.msh_12.to_er7() == version
