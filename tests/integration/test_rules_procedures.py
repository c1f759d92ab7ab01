"""What a change of a procedure must obey: readiness, slot and room, overrides.

https://hl7.org/fhir/R4/event.html#statemachine
"""

from __future__ import annotations

from typing import Any

import pytest

from gateway import errors
from gateway.records import Records
from mappings.element import Refused, ext
from tests.fixtures.ward import (
    SLOT,
    booked,
    move,
    procedure,
    row,
    standing,
    steps,
)


@pytest.mark.parametrize("lost", [{"scheduled_start": None}, {"scheduled_location": None}])
@pytest.mark.parametrize("override", [None, "life at risk"])
def test_a_booked_procedure_keeps_slot_and_room(
    ward: Records, lost: dict[str, Any], override: str | None
) -> None:
    booked(ward)
    with pytest.raises(Refused) as refused:
        move(ward, lost, override)
    assert refused.value.kind == "required"
    assert row(ward, "Procedure", "x1")["surgical_status"] == "scheduled"


def test_an_update_that_drops_the_slot_of_a_booked_procedure_is_refused(ward: Records) -> None:
    booked(ward)
    parts = [{"url": "surgicalStatus", "valueCode": "scheduled"}]
    with pytest.raises(Refused) as refused:
        procedure(ward, extension=[{"url": ext("or-readiness"), "extension": parts}])
    assert refused.value.expression.endswith("extension('scheduledPeriod')")
    procedure(ward, note=[{"text": "left out, so kept"}])
    assert row(ward, "Procedure", "x1")["scheduled_start"] == SLOT["scheduled_start"]


@pytest.mark.parametrize(
    ("change", "step"),
    [
        ({"cardiology_clearance": False}, "near_ready"),
        ({"stress_test_status": "ordered"}, "near_ready"),
        ({"consent_status": "refused", "barriers": ["labs", "bed"]}, "workup"),
        ({"estimated_minutes": 90}, "ready"),
    ],
)
def test_a_ready_case_falls_back_when_its_guards_no_longer_hold(
    ward: Records, change: dict[str, Any], step: str
) -> None:
    procedure(ward, to=None)
    move(ward, {"surgical_status": "ready"})
    move(ward, change)
    assert row(ward, "Procedure", "x1")["surgical_status"] == step


def test_a_slot_does_not_end_before_it_starts(ward: Records) -> None:
    procedure(ward, to=None)
    with pytest.raises(Refused) as refused:
        move(ward, SLOT | {"scheduled_end": "2026-11-20T07:59:00Z"})
    assert errors.problem_of(refused.value).status == 422
    move(ward, SLOT | {"scheduled_end": SLOT["scheduled_start"]})


def test_the_order_follows_when_its_procedure_is_booked_again_or_given_back(ward: Records) -> None:
    booked(ward)
    assert row(ward, "ServiceRequest", "o1")["scheduled_at"] == SLOT["scheduled_start"]
    later = {"scheduled_start": "2026-11-27T08:00:00Z", "scheduled_end": "2026-11-27T10:00:00Z"}
    move(ward, later)
    assert row(ward, "ServiceRequest", "o1")["scheduled_at"] == later["scheduled_start"]
    move(ward, {"surgical_status": "workup"})
    assert standing(ward) == ("ordered", False)
    assert row(ward, "ServiceRequest", "o1")["scheduled_at"] is None
    assert steps(ward) == [
        (None, "ordered"),
        ("ordered", "scheduled"),
        ("scheduled", "scheduled"),
        ("scheduled", "ordered"),
    ]


def test_an_order_stays_booked_for_its_other_procedure(ward: Records) -> None:
    booked(ward)
    procedure(ward, name="x2")
    move(ward, {"surgical_status": "workup"}, name="x2")
    second = {"scheduled_start": "2026-12-01T08:00:00Z", "scheduled_end": "2026-12-01T09:00:00Z"}
    move(ward, SLOT | second | {"surgical_status": "scheduled"}, name="x2")
    move(ward, {"surgical_status": "workup"}, name="x2")
    assert standing(ward) == ("scheduled", False)
    assert row(ward, "ServiceRequest", "o1")["scheduled_at"] == SLOT["scheduled_start"]


def overrides(ward: Records) -> list[tuple[str, list[str]]]:
    """The overrides that the audit trail tells of: why, and what they lifted."""
    with ward.store.connection() as connection:
        rows = connection.execute("SELECT detail FROM audit_event WHERE action = 'E' ORDER BY at").fetchall()
    return [(found[0]["reason"], found[0]["lifted"]) for found in rows]


def test_an_override_is_audited_with_its_reason_and_what_it_lifted(ward: Records) -> None:
    procedure(ward, to=None)
    move(ward, {"surgical_status": "workup", "consent_status": "needed"})
    move(ward, SLOT | {"surgical_status": "scheduled"}, "life at risk")
    assert overrides(ward) == [("life at risk", ["consentStatus"])]
    move(ward, {"barriers": ["labs"]}, "blood is on its way")
    assert row(ward, "Procedure", "x1")["surgical_status"] == "scheduled"
    assert overrides(ward)[1:] == [("blood is on its way", ["barrier"])]
    move(ward, {"barriers": ["labs", "bed"]})
    assert row(ward, "Procedure", "x1")["surgical_status"] == "workup"
    assert len(overrides(ward)) == 2


def test_an_override_that_lifts_nothing_is_not_audited(ward: Records) -> None:
    procedure(ward, to=None)
    move(ward, {"surgical_status": "workup"})
    move(ward, SLOT | {"surgical_status": "scheduled"}, "just in case")
    move(ward, {"estimated_minutes": 60}, "just in case")
    assert overrides(ward) == []


def test_an_override_does_not_keep_an_unbooked_case_ready(ward: Records) -> None:
    procedure(ward, to=None)
    move(ward, {"surgical_status": "ready"})
    move(ward, {"barriers": ["labs"]}, "life at risk")
    assert row(ward, "Procedure", "x1")["surgical_status"] == "near_ready"


@pytest.mark.parametrize("told", [{"barriers": [""]}, {"barriers": [" "]}, {"procedure_type": " "}])
def test_what_is_blank_is_refused(ward: Records, told: dict[str, Any]) -> None:
    procedure(ward, to=None)
    with pytest.raises(Refused) as refused:
        move(ward, told)
    assert (refused.value.kind, refused.value.expression) == ("value", next(iter(told)))
