"""What each trigger event of ADT says of a visit.

HL7 v2.5.1, section 3.3 (trigger events), table 0003; the statuses:
https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-message-adt-a01-to-bundle.html
"""

from __future__ import annotations

from dataclasses import dataclass

BEGUN = frozenset({"unknown", "planned", "arrived", "triaged", "in-progress", "onleave"})
ENDED = frozenset({"finished", "cancelled"})


@dataclass(frozen=True)
class Event:
    """An event: the status of the visit after it (None: as it was), and what it may take back.

    ``undoes`` are statuses that a visit leaves by it though no visit goes back by itself; with ``takes_back``
    it is about a visit that must be known, and a discharge time in it says nothing. ``about_person`` is of
    no visit, ``returns`` brings the patient back to the place before, ``arrives`` tells that the status
    is only planned while no time of arrival (PV1-44) is told; by one that ``moves`` the patient comes to the
    place when it happens, not when the visit begins. One that ``begins`` a visit is not of another one that
    goes on.
    """

    status: str | None = None
    undoes: frozenset[str] = frozenset()
    takes_back: bool = False
    about_person: bool = False
    returns: bool = False
    arrives: bool = False
    moves: bool = False
    begins: bool = False


_AGAIN = frozenset({"cancelled"})
EVENTS: dict[str, Event] = {
    "A01": Event("in-progress", _AGAIN, begins=True),
    "A02": Event("in-progress", moves=True),
    "A03": Event("finished"),
    "A04": Event("in-progress", _AGAIN, arrives=True, begins=True),
    "A05": Event("planned", _AGAIN, begins=True),
    "A06": Event("in-progress"),
    "A07": Event("in-progress"),
    "A08": Event(),
    "A11": Event("cancelled", BEGUN | ENDED, takes_back=True),
    "A12": Event(takes_back=True, returns=True),
    "A13": Event("in-progress", frozenset({"finished"}), takes_back=True, returns=True),
    "A14": Event("planned", begins=True),
    "A21": Event("onleave"),
    "A22": Event("in-progress"),
    "A27": Event("cancelled", frozenset({"unknown", "planned"}), takes_back=True),
    "A28": Event(about_person=True),
    "A31": Event(about_person=True),
    "A38": Event("cancelled", frozenset({"unknown", "planned"}), takes_back=True),
}
"""Trigger event -> what it says: admission (A01), transfer, discharge, registration, pre-admission (A05), to
inpatient and back (A06, A07), update, the cancelling of admission, transfer and discharge (A11 to A13),
pending admission (A14, A27), leave and return (A21, A22), the person alone (A28, A31), no pre-admission.
"""
