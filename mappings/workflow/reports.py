"""What a report does to its order, and how bad its result is.

https://hl7.org/fhir/R4/valueset-diagnostic-report-status.html and
https://terminology.hl7.org/CodeSystem-v3-ObservationInterpretation.html
"""

from __future__ import annotations

from collections.abc import Iterable

from mappings.element import IllegalTransition, cs

FINAL = ("final", "amended", "corrected", "appended")
"""Report statuses that make an order reported."""
ERROR = "entered-in-error"
RESULT_STATUS = cs("result-status")
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
V2_INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v2-0078"
RESULTS = ("normal", "abnormal", "critical")
"""From best to worst."""

STATUS_OF_OBR25 = {
    **dict.fromkeys("OISN", "registered"),
    **dict.fromkeys("AR", "partial"),
    **dict.fromkeys("PM", "preliminary"),
    **dict.fromkeys("YZ", "unknown"),
    "F": "final",
    "C": "corrected",
    "X": "cancelled",
    "D": "entered-in-error",
}
"""Table 0123, result status -> DiagnosticReport.status."""

_ORDER_OF_OBR25: dict[str, str | None] = {"O": None, "S": "scheduled", "M": None}
_ORDER_OF_STATUS = {
    **dict.fromkeys(("registered", "partial", "preliminary"), "in_progress"),
    **dict.fromkeys(FINAL, "reported"),
}
_GRADES = {
    **dict.fromkeys(("N", "NEG", "S"), "normal"),
    **dict.fromkeys(("A", "H", "L", "POS", "R", "HU", "LU", "ABN"), "abnormal"),
    **dict.fromkeys(("AA", "HH", "LL", ">", "<"), "critical"),
}


def order_target(status: str, obr25: str = "") -> str | None:
    """Return the workflow status that a report moves its order to (never back), None where it does nothing.

    ``obr25`` is the letter of OBR-25 of a message, which tells received, booked and begun apart.
    """
    if obr25 in _ORDER_OF_OBR25:
        return _ORDER_OF_OBR25[obr25]
    return _ORDER_OF_STATUS.get(status)


def retracts(status: str, others: Iterable[str]) -> bool:
    """Tell whether a report that became ``status`` (or is deleted: in error) takes its order back to
    completed.
    """
    return status == ERROR and not has_final(others)


def judge(before: str | None, wanted: str) -> None:
    """Judge a change of DiagnosticReport.status: what is final is amended or in error, what is in error stays
    so. Raises IllegalTransition.
    """
    allowed = () if before == ERROR else (*FINAL[1:], ERROR) if before in FINAL else None
    if before is not None and before != wanted and allowed is not None and wanted not in allowed:
        left = (status for status in allowed if status != before)
        raise IllegalTransition("DiagnosticReport.status", before, wanted, left)


def has_final(statuses: Iterable[str]) -> bool:
    """Tell whether any of an order's reports is final, amended, corrected or appended."""
    return any(status in FINAL for status in statuses)


def next_status(present: str) -> str:
    """Return the status of a second report on a reported order: a new version of the first, amended."""
    return "amended" if present in FINAL else "final"


def grade(system: str | None, code: str) -> str | None:
    """Return normal, abnormal or critical for a code of an interpretation or of ours, else None."""
    if system == RESULT_STATUS:
        return code if code in RESULTS else None
    if system in (INTERPRETATION, V2_INTERPRETATION, None):
        return _GRADES.get(code.upper())
    return None


def worst(grades: Iterable[str | None]) -> str | None:
    """Return the worst of several results, None where none is told."""
    told = [RESULTS.index(found) for found in grades if found is not None]
    return RESULTS[max(told)] if told else None


def result_status(codes: Iterable[tuple[str | None, str]]) -> str | None:
    """Return the worst result of (system, code) pairs: of conclusion codes, or of interpretations."""
    return worst(grade(system, code) for system, code in codes)


def conclusion_code(result: str) -> dict[str, object]:
    """Return the CodeableConcept that tells a result: our coding and ObservationInterpretation's."""
    code, display = {
        "normal": ("N", "Normal"),
        "abnormal": ("A", "Abnormal"),
        "critical": ("AA", "Critical abnormal"),
    }[result]
    return {
        "coding": [
            {"system": RESULT_STATUS, "code": result},
            {"system": INTERPRETATION, "code": code, "display": display},
        ]
    }
