"""What ORC-1, ORC-5 and OBR-25 say of an order: the rows of tables 0119, 0038 and 0123.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-table-hl70119-to-request-status.html
"""

from __future__ import annotations

import pytest

from mappings.messages.order_status import Wanted, wanted


@pytest.mark.parametrize(
    "control",
    [
        "NW",
        "AF",
        "OK",
        "PR",
        "PY",
        "RO",
        "RQ",
        "SN",
        "XO",
        "PA",
        "CH",
        "SC",
        "RE",
        "NA",
        "SS",
        "SR",
        "XX",
        "RF",
        "",
    ],
)
def test_these_controls_alone_tell_of_an_order_that_stands(control: str) -> None:
    assert wanted(control, "", "") == Wanted("ordered")


@pytest.mark.parametrize("control", ["CR", "DC", "DF", "DR", "OC", "OD", "CA", "UA", "RP", "RU"])
def test_these_controls_cancel(control: str) -> None:
    assert wanted(control, "IP", "").status == "cancelled"


@pytest.mark.parametrize("control", ["CA", "DC", "RP", "HD", "RL"])
def test_these_controls_are_requests_that_may_be_refused(control: str) -> None:
    assert wanted(control, "", "").request


@pytest.mark.parametrize(
    ("control", "hold"), [("HD", True), ("HR", True), ("OH", True), ("RL", False), ("OE", False)]
)
def test_these_controls_hold_and_release(control: str, hold: bool) -> None:
    assert wanted(control, "", "").hold is hold


def test_a_filled_order_is_completed() -> None:
    assert wanted("FU", "", "") == Wanted("completed")


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("IP", Wanted("in_progress")),
        ("A", Wanted("in_progress")),
        ("SC", Wanted("scheduled")),
        ("CM", Wanted("completed")),
        ("CA", Wanted("cancelled")),
        ("DC", Wanted("cancelled")),
        ("RP", Wanted("cancelled")),
        ("HD", Wanted(hold=True)),
        ("ER", Wanted(void=True)),
    ],
)
def test_orc_5_wins_over_a_control_that_decides_nothing(status: str, expected: Wanted) -> None:
    assert wanted("NW", status, "F") == expected
    assert wanted("SC", status, "") == expected


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ("I", "in_progress"),
        ("P", "in_progress"),
        ("A", "in_progress"),
        ("R", "in_progress"),
        ("S", "scheduled"),
        ("F", "completed"),
        ("C", "completed"),
        ("O", "ordered"),
        ("X", "ordered"),
    ],
)
def test_obr_25_tells_where_orc_5_tells_nothing(result: str, expected: str) -> None:
    assert wanted("SC", "", result).status == expected


def test_a_time_of_booking_makes_an_order_scheduled() -> None:
    assert wanted("NW", "", "", booked=True) == Wanted("scheduled")
