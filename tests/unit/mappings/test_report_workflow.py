"""What reports do to orders, and how bad results are. https://hl7.org/fhir/R4/valueset-diagnostic-report-status.html"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mappings.element import cs
from mappings.workflow.reports import (
    INTERPRETATION,
    RESULTS,
    V2_INTERPRETATION,
    grade,
    has_final,
    next_status,
    order_target,
    result_status,
    retracts,
    worst,
)


@pytest.mark.parametrize(
    ("status", "obr25", "target"),
    [
        ("registered", "", "in_progress"),
        ("registered", "O", None),
        ("registered", "I", "in_progress"),
        ("registered", "S", "scheduled"),
        ("registered", "N", "in_progress"),
        ("partial", "A", "in_progress"),
        ("partial", "R", "in_progress"),
        ("preliminary", "P", "in_progress"),
        ("preliminary", "M", None),
        ("final", "F", "reported"),
        ("corrected", "C", "reported"),
        ("amended", "", "reported"),
        ("appended", "", "reported"),
        ("cancelled", "X", None),
        ("unknown", "Y", None),
        ("unknown", "Z", None),
        ("entered-in-error", "D", None),
    ],
)
def test_a_report_moves_its_order(status: str, obr25: str, target: str | None) -> None:
    assert order_target(status, obr25) == target


@pytest.mark.parametrize(
    ("status", "others", "expected"),
    [
        ("entered-in-error", [], True),
        ("entered-in-error", ["preliminary", "entered-in-error"], True),
        ("entered-in-error", ["corrected"], False),
        ("cancelled", [], False),
        ("final", [], False),
    ],
)
def test_only_the_last_final_report_takes_its_order_back(
    status: str, others: list[str], expected: bool
) -> None:
    assert retracts(status, others) is expected


@pytest.mark.parametrize("status", ["final", "amended", "corrected", "appended"])
def test_a_second_report_amends_the_first(status: str) -> None:
    assert has_final([status])
    assert next_status(status) == "amended"


def test_a_first_report_is_final() -> None:
    assert not has_final(["registered", "cancelled"])
    assert next_status("preliminary") == "final"


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ("AA HH LL > <", "critical"),
        ("A H L POS R HU LU ABN a", "abnormal"),
        ("N NEG S", "normal"),
        ("I IND ?", None),
    ],
)
def test_interpretations_are_graded(codes: str, expected: str | None) -> None:
    for code in codes.split():
        assert {grade(system, code) for system in (INTERPRETATION, V2_INTERPRETATION, None)} == {expected}


def test_our_own_codes_are_their_grade_and_foreign_ones_none() -> None:
    assert [grade(cs("result-status"), result) for result in RESULTS] == list(RESULTS)
    assert grade(cs("result-status"), "A") is None
    assert grade("http://snomed.info/sct", "A") is None


@given(st.lists(st.sampled_from([*RESULTS, None])))
def test_of_several_results_the_worst_counts(grades: list[str | None]) -> None:
    found = worst(grades)
    assert (found is None) == (not any(grades))
    for result in ("critical", "abnormal"):
        if result in grades:
            assert found == result
            break


def test_codes_that_tell_nothing_leave_the_result_open() -> None:
    assert result_status([("http://snomed.info/sct", "1")]) is None
    assert result_status([(INTERPRETATION, "N"), (None, "HH")]) == "critical"
