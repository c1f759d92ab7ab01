"""The official examples come back as they are, of every type with tables of its own.

https://hl7.org/fhir/R4/downloads.html
"""

from __future__ import annotations

from pathlib import Path

import pytest

from mappings.resources import REGISTRY
from tests.fixtures.resources import decode, draw, read, stored, text, written

BY_DESIGN: dict[str, set[str]] = {
    "Encounter": {"classHistory"},
    "Practitioner": {"qualification"},
    "Organization": {"contact"},
    "Location": {"hoursOfOperation", "availabilityExceptions"},
    "Specimen": {"processing", "collection duration", "collection fastingStatusDuration"},
    "Condition": {"onsetRange", "abatementRange"},
    "AllergyIntolerance": {"onsetAge", "onsetPeriod", "onsetRange", "onsetString"},
    "MedicationStatement": set(),
    "Coverage": {"costToBeneficiary", "subrogation"},
    "DocumentReference": set(),
    "Observation": {"effectiveTiming", "valueRatio", "valueSampledData"},
}
"""What has no column on purpose; else only contained resources, extensions and siblings may be left over."""


@pytest.mark.parametrize("name", sorted(REGISTRY))
def test_official_examples_come_back(name: str, corpus: Path) -> None:
    mapping = REGISTRY[name]
    for path in sorted((corpus / "fhir-r4" / "examples").glob(f"{name}-*.json")):
        value = decode(path.read_bytes())
        assert text(draw(mapping, stored(read(mapping, value)))) == text(written(value)), path.name


@pytest.mark.parametrize("name", sorted(BY_DESIGN))
def test_what_is_left_over_of_official_examples_has_no_column_on_purpose(name: str, corpus: Path) -> None:
    for path in sorted((corpus / "fhir-r4" / "examples").glob(f"{name}-*.json")):
        left = (read(REGISTRY[name], decode(path.read_bytes())).resource["remainder"] or {}).get("x", {})
        unnamed = {
            key for key in left if not key.rpartition(" ")[2].startswith(("_", "extension", "contained"))
        }
        assert unnamed <= BY_DESIGN[name], path.name
