"""The instruments of outcome that are installed: their codes, the range of their scores, their LOINC codes.

https://hl7.org/fhir/R4/observation.html
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Instrument:
    """An instrument: its local code, lowest and highest score, and its LOINC code where it has one."""

    code: str
    low: int
    high: int
    loinc: str | None = None


def _scores(low: int, high: int, *codes: str) -> list[Instrument]:
    """Instruments of one range; a LOINC code follows its instrument's after a slash."""
    parts = [code.partition("/") for code in codes]
    return [Instrument(code, low, high, loinc or None) for code, _, loinc in parts]


# fmt: off
INSTRUMENTS: dict[str, Instrument] = {
    made.code: made
    for made in (
        *_scores(0, 100, "HHS", "MHHS", "IHOT12", "HOS_ADL", "HOS_SPORT", "NAHS", "FJS12"),
        *_scores(0, 100, "HOOS_SYMPTOMS/72096-1", "HOOS_PAIN/72097-9", "HOOS_ADL/72095-3"),
        *_scores(0, 100, "HOOS_SPORT/72094-6", "HOOS_QOL/72093-8", "HOOS_JR/82323-7"),
        *_scores(0, 100, "KOOS_SYMPTOMS/72101-9", "KOOS_PAIN/72102-7", "KOOS_ADL/72100-1"),
        *_scores(0, 100, "KOOS_SPORT/72099-5", "KOOS_QOL/72098-7", "KOOS_JR/82324-5"),
        *_scores(0, 100, "KSS_KNEE", "KSS_FUNCTION", "IKDC", "LYSHOLM"),
        *_scores(0, 100, "ASES", "CONSTANT", "SANE", "SPADI", "ROWE", "DASH", "QUICKDASH"),
        *_scores(0, 100, "VR12_PCS/72027-6", "VR12_MCS/72028-4", "EQ_VAS"),
        *_scores(16, 68, "PROMIS10_GPH/71971-6", "PROMIS10_GMH/71969-0"),
        *_scores(0, 48, "OHS", "OKS", "OSS"),
        *_scores(0, 96, "WOMAC"),
        *_scores(0, 10, "TEGNER", "VAS_PAIN/38214-3", "NRS_PAIN/72514-3"),
        *_scores(1, 10, "UCLA_ACTIVITY"),
        *_scores(0, 12, "SST"),
        *_scores(2, 35, "UCLA_SHOULDER"),
        *_scores(0, 2100, "WORC", "WOSI"),
        *_scores(-1, 1, "EQ5D_INDEX"),
    )
}
# fmt: on
"""By local code."""

BY_LOINC = {made.loinc: made for made in INSTRUMENTS.values() if made.loinc}
"""Those that LOINC has a code for."""
