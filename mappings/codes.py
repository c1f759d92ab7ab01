"""HL7v2 tables as FHIR codes, as the v2-to-FHIR guide's concept maps have them.

https://hl7.org/fhir/uv/v2mappings/2024Sep/coding_maps.html
"""

from __future__ import annotations

SEX = {
    "F": "female",
    "M": "male",
    "O": "other",
    "A": "other",
    "N": "other",
    "X": "other",
    "I": "other",
    "U": "unknown",
}
"""Table 0001, administrative sex."""
