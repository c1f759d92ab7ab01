"""Fields and segments that are not mapped on purpose, each with the reason; all else that is not mapped is
reported.

https://hl7.org/fhir/uv/v2mappings/2024Sep/mapping_guidelines.html
"""

from __future__ import annotations

_SET_ID = "A set id numbers the segments of this message"
_HEADER = "Kept with the message, which is stored whole"
_NO_RESOURCE = "No resource of this kind is made of it; kept with the record"

RULES: dict[str, str] = {
    **{
        f"{name}-1": _SET_ID
        for name in (
            *("PID", "PV1", "NK1", "OBR", "OBX", "NTE", "DG1", "SPM", "TQ1"),
            *("AL1", "GT1", "IN1", "IN2", "PR1", "ROL"),
            *("RGS", "AIS", "AIG", "AIL", "AIP", "TXA", "CON"),
        )
    },
    "NTE-2": "Where a comment comes from is seen by where it stands",
    **dict.fromkeys(("MSH", "SFT", "UAC", "EVN"), _HEADER),
    **dict.fromkeys(
        (
            *("IN2", "IN3", "GT1", "FT1", "CTD", "CTI", "BLG", "DSC", "ARV", "CON"),
            *("ROL", "DB1", "DRG", "UB1", "UB2", "ACC", "PDA", "RF1"),
        ),
        _NO_RESOURCE,
    ),
}
"""A field (``PID-1``) that is ignored is redundant and not kept; a segment (``FT1``) is kept with its
record.
"""
