"""Original and enhanced mode, as MSH-15 and MSH-16 ask.

HL7 v2.5.1, section 2.9.3: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.mllp.acknowledge import Code
from gateway.mllp.modes import ORIGINAL, Mode, accepting, mode_of, mode_warnings
from mappings.er7 import read

CONDITION = st.sampled_from(["AL", "NE", "ER", "SU"])


def asked(accept: str, application: str, version: str = "2.5.1", ack_mode: str = "enhanced") -> Mode:
    raw = f"MSH|^~\\&|A|B|C|D|1||ORM^O01|7|P|{version}|||{accept}|{application}\r"
    return mode_of(read(raw.encode()), ack_mode)


def test_original_mode_is_to_answer_always_with_what_came_of_it() -> None:
    assert asked("", "") == asked("NE", "AL") == mode_of(None) == ORIGINAL


@given(CONDITION, CONDITION)
def test_what_is_asked_for_is_done_unless_the_version_or_the_peer_knows_no_enhanced_mode(
    accept: str, application: str
) -> None:
    assert asked(accept, application) == Mode(accept, application)
    assert asked(accept, application, "2.1") == ORIGINAL
    assert asked(accept, application, ack_mode="original") == ORIGINAL


@given(CONDITION, CONDITION, st.booleans())
def test_always_is_on_success_and_on_error_together(accept: str, application: str, success: bool) -> None:
    mode = Mode(accept, application)
    assert mode.accepts(success=success) == (accept in ("AL", "SU" if success else "ER"))
    assert mode.applies(success=success) == (application in ("AL", "SU" if success else "ER"))


@given(CONDITION, CONDITION, st.sampled_from([Code.AE, Code.AR]))
def test_a_refusal_is_told_once_and_by_the_half_that_was_asked_first(
    accept: str, application: str, code: Code
) -> None:
    told = Mode(accept, application).refusal(code)
    if accept in ("AL", "ER"):
        assert told is accepting(code)
    else:
        assert told is (code if application in ("AL", "ER") else None)


def test_each_code_of_one_half_has_its_like_in_the_other() -> None:
    assert [accepting(code) for code in (Code.AA, Code.AE, Code.AR)] == [Code.CA, Code.CE, Code.CR]
    assert accepting(Code.CA) is Code.CA


def test_conditions_of_no_table_are_empty_and_named() -> None:
    raw = b"MSH|^~\\&|A|B|C|D|1||ORM^O01|7|P|2.5.1|||YES|AL\r"
    assert mode_of(read(raw)) == Mode("NE", "AL")
    assert [(fault.code, fault.severity, fault.field) for fault in mode_warnings(read(raw))] == [
        ("103", "W", 15)
    ]
