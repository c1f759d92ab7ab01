"""What of the corpus does not come back from a message that is built of it, and why: the counts only fall.

https://hl7.org/fhir/uv/v2mappings/2024Sep/
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Unsaid(NamedTuple):
    """How many single values under a path do not come back at most, and why."""

    most: int
    why: str


UNSAID: Final = {
    "Patient.telecom": Unsaid(
        9, "The telephone numbers of old versions (TN) have one form; words and others are left out"
    ),
    "Patient.name.suffix": Unsaid(5, "Of three suffixes a name has two places: XPN-4 and XPN-6"),
    "Patient.extension": Unsaid(
        3, "An ethnicity is written by its code of table 0189, which has a text of its own and no version"
    ),
    "Encounter.class": Unsaid(6, "PV1-2 is required: what nobody told is U of table 0004, which is a code"),
    "Encounter.identifier": Unsaid(3, "PV1-19 and PV1-50 each have one number"),
    "Location": Unsaid(2, "A place of which a visit tells twice stands in PV1 once"),
    "Coverage": Unsaid(6, "A result leaves without the covers of its patient, of which PV1-20 is one"),
    "Coverage.period.end": Unsaid(1, "IN1-13 is a day (DT): the time of the day is left out"),
    "Coverage.relationship": Unsaid(2, "Several codes of IN1-17 stand for one relationship"),
    "DiagnosticReport.presentedForm": Unsaid(
        2, "A title is no part of an ED; the same bytes under another title are one document"
    ),
    "DiagnosticReport.performer": Unsaid(1, "OBX-15 names who made a result by a coding, without authority"),
    "Observation.performer": Unsaid(3, "The same: who is named in OBX-15 has no authority there"),
    "Observation.specimen": Unsaid(1, "An OBX of an order says of no specimen that it is about it"),
    "Observation": Unsaid(
        9, "An OBX before any OBR is of the patient, one after SPM of the specimen: of no report that leaves"
    ),
    "Practitioner": Unsaid(4, "Who is named only there, or by a number of which the field has room for one"),
    "ServiceRequest.extension": Unsaid(
        4, "A step that no field dates is dated by its message (MSH-7), and what leaves by its own"
    ),
    "ServiceRequest.category": Unsaid(3, "A code of another table than 0074 has no place in OBR-24"),
    "ServiceRequest": Unsaid(6, "TQ1 of a result: when an order was wanted is told with the order"),
}
"""Path -> what is not said; the longest path that fits counts."""


def group_of(path: str) -> str:
    """The group of UNSAID that a path belongs to; the path itself where there is none."""
    found = [name for name in UNSAID if path == name or path.startswith(f"{name}.")]
    return max(found, key=len, default=path)
