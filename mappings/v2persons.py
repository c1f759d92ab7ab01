"""Readers of the fields of PID that are not of their element's usual datatype: telephones by place,
marital status.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-segment-pid-to-patient.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.v2types import V2_TABLE, compact, cwe, system, xad, xtn

if TYPE_CHECKING:
    from mappings.element import Reader, V2Context, Value
    from mappings.er7 import Repetition

MARITAL_STATUS = "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus"
MARITAL = {
    "A": ("L", "Legally Separated"),
    "E": ("L", "Legally Separated"),
    "D": ("D", "Divorced"),
    "M": ("M", "Married"),
    "W": ("W", "Widowed"),
    "S": ("S", "Never Married"),
    "I": ("I", "Interlocutory"),
    "C": ("C", "Common Law"),
    "G": ("T", "Domestic partner"),
    "P": ("T", "Domestic partner"),
    "R": ("T", "Domestic partner"),
    "N": ("A", "Annulled"),
    "B": ("U", "unmarried"),
}
"""Table 0002 -> v3-MaritalStatus and its display; U (unknown), O (other) and T (not reported) stay codes
of the table.
"""


def marital_status(repetition: Repetition, context: V2Context) -> Value:
    """PID-16 -> Patient.maritalStatus."""
    code = repetition.component(1).strip()
    if code.upper() in MARITAL:
        known, display = MARITAL[code.upper()]
        return {"coding": [{"system": MARITAL_STATUS, "code": known, "display": display}]}
    if len(code) > 1 and repetition.count == 1:
        return {"text": code}
    made = cwe(repetition, context)
    for coding in made.get("coding", ()) if made else ():
        coding.setdefault("system", V2_TABLE + "0002")
    return made


def maiden_name(repetition: Repetition, context: V2Context) -> Value:
    """PID-6, XPN -> the family name of the patient's mother."""
    del context
    return repetition.component(1).strip() or repetition.component(2).strip() or None


def telephone(use: str = "") -> Reader:
    """Return a reader of XTN whose use is told by the field where the value does not tell it: a list, since
    one may tell a telephone number and an e-mail address (XTN-4).
    """

    def reader(repetition: Repetition, context: V2Context) -> Value:
        made = xtn(repetition, context)
        told = [made, _mail(repetition, made)] if made else []
        return [item if "use" in item or not use else {**item, "use": use} for item in told if item]

    return reader


def _mail(repetition: Repetition, made: dict[str, Any]) -> dict[str, Any] | None:
    """Return the e-mail address that stands beside a telephone number, if there is one."""
    address = repetition.component(4).strip()
    if "@" not in address or address == made["value"]:
        return None
    use = made.get("use")
    return compact(system="email", value=address, use=use if use != "mobile" else None)


def birth_place(repetition: Repetition, context: V2Context) -> Value:
    """PID-23, ST (older senders: XAD) -> Address."""
    if repetition.count > 1:
        return xad(repetition, context)
    return compact(text=repetition.text.strip())


def organization_named(repetition: Repetition, context: V2Context) -> Value:
    """XON -> a Reference by number (10, else 3) and name (1)."""
    value = (repetition.component(10) or repetition.component(3)).strip()
    identifier = compact(system=system(repetition, 6, context), value=value) if value else None
    return compact(identifier=identifier, display=repetition.component(1).strip())
