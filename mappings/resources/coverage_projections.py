"""The kind of insurance, which follows from the codes of a cover's type.

https://hl7.org/fhir/R4/coverage-definitions.html#Coverage.type
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings.concepts import codings
from mappings.element import cs
from storage.model.clinical import INSURANCE_TYPES

if TYPE_CHECKING:
    from storage.record import Record

OWN = cs("insurance-type")
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
SELF_PAY = "http://terminology.hl7.org/CodeSystem/coverage-selfpay"
SOPT = ("https://nahdo.org/sopt", "urn:oid:2.16.840.1.113883.3.221.5")
"""Source of Payment Typology, by its URL and by its OID."""
OF_ACT_CODE = {
    "AUTOPOL": "auto",
    "WCBPOL": "workers_comp",
    "MILITARY": "tricare",
    "VET": "va",
    **dict.fromkeys(("EHCPOL", "HSAPOL", "HIP", "MCPOL", "HMO", "POS", "PPO"), "commercial"),
}
"""v3-ActCode (kinds of policy and of programme) -> ours."""
OF_SOPT = {
    "1": "medicare",
    "2": "medicaid",
    "31": "tricare",
    "32": "va",
    "5": "commercial",
    "6": "commercial",
    "7": "commercial",
    "81": "self_pay",
    "95": "workers_comp",
    "96": "auto",
}
"""How a code of the typology begins, which is a hierarchy -> ours."""


def insurance_type(system: str | None, code: str | None) -> str | None:
    """Return the kind of insurance that a code tells: ``other`` where its system is known and the code is
    none of ours, None where the system is not known.
    """
    if not code:
        return None
    if system == OWN:
        return code if code in INSURANCE_TYPES else "other"
    if system == ACT_CODE:
        return OF_ACT_CODE.get(code, "other")
    if system == SELF_PAY:
        return "self_pay"
    if system in SOPT:
        return next((kind for start, kind in OF_SOPT.items() if code.startswith(start)), "other")
    return None


def set_insurance_type(record: Record) -> None:
    """Set the kind of insurance: what our own code tells, else the first code that tells one."""
    found = sorted(codings(record, "type"), key=lambda row: row["system"] != OWN)
    told = [kind for row in found if (kind := insurance_type(row["system"], row["code"]))]
    plain = next((kind for kind in told if kind != "other"), None)
    record.main["insurance_type"] = plain or next(iter(told), None)
