"""The body mass index: from which weight and height it is computed, and the observation that it becomes.

https://hl7.org/fhir/R4/bmi.html, https://hl7.org/fhir/R4/bodyweight.html and
https://hl7.org/fhir/R4/bodyheight.html
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, NamedTuple
from uuid import UUID

from mappings.concepts import LOINC, codings
from mappings.flat.findings import CATEGORIES
from mappings.units import UCUM, convert
from storage.flat_sql import FINAL
from storage.model.shared import Reference
from storage.record import Record

Object = dict[str, Any]


class Kind(NamedTuple):
    """What is measured: its unit, and between which values a measurement is believed."""

    unit: str
    low: Decimal
    high: Decimal


HEIGHT, WEIGHT, BMI = "8302-2", "29463-7", "39156-5"
KINDS = {
    HEIGHT: Kind("cm", Decimal(30), Decimal(250)),
    WEIGHT: Kind("kg", Decimal("0.3"), Decimal(500)),
    BMI: Kind("kg/m2", Decimal(0), Decimal(1000)),
}
"""LOINC code -> what it measures."""

GROWN_UP = 20
"""From this age on a height holds for years."""
HOLDS = {True: timedelta(days=5 * 365 + 2), False: timedelta(days=90)}
"""For how long a height holds, of adults and of those under GROWN_UP."""


@dataclass(frozen=True)
class Measure:
    """A height, a weight or a body mass index. ``value`` is in the unit of its kind, None where it cannot be
    used; ``sources`` are the FHIR ids of the observations that it is derived from.
    """

    key: UUID
    fhir_id: str
    code: str
    value: Decimal | None
    at: datetime | None
    told: str | None
    computed: bool
    sources: frozenset[str]
    encounter: str | None


def code_of(record: Record) -> str | None:
    """Return which of the three an observation is, None where it is none of them."""
    return next(
        (row["code"] for row in codings(record, "code") if row["system"] == LOINC and row["code"] in KINDS),
        None,
    )


def of_row(row: Mapping[str, Any]) -> Measure:
    """Return the measure of a row of ``storage.body``."""
    return Measure(
        row["id"],
        row["fhir_id"],
        row["code"],
        _value(row, KINDS[row["code"]]),
        row["effective_lo"],
        row["effective_start"],
        bool(row["is_computed"]),
        frozenset(row["sources"]),
        row["encounter"],
    )


def of_record(record: Record, code: str) -> Measure:
    """Return the measure of an observation in work."""
    sources = [row["target_fhir_id"] for row in record.rows(Reference, None, "derivedFrom")]
    named = (
        f"{row['target_type']}/{row['target_fhir_id']}"
        for row in record.rows(Reference, None, "encounter")
        if row["target_fhir_id"]
    )
    head = {"fhir_id": record.resource["fhir_id"], "code": code}
    return of_row({**record.main, **head, "sources": sources, "encounter": next(named, None)})


def _value(row: Mapping[str, Any], kind: Kind) -> Decimal | None:
    value = row["value_value"]
    if value is None or row["status"] not in FINAL:
        return None
    found = convert(value, row["value_code"] or row["value_unit"], kind.unit)
    return found if found is not None and kind.low <= found <= kind.high else None


def height_for(
    weight: Measure, heights: Iterable[Measure], born: datetime | None, zone: tzinfo
) -> Measure | None:
    """Return the newest height that is not later than a weight (by the day) and still holds for it."""
    if weight.at is None:
        return None
    day = day_of(weight.at, zone)
    limit = HOLDS[_is_grown_up(born, weight.at)]
    known = [
        (height.at, height)
        for height in heights
        if height.value is not None and height.at is not None and day_of(height.at, zone) <= day
    ]
    at, newest = max(known, key=lambda pair: (pair[0], pair[1].key), default=(None, None))
    return newest if at is not None and weight.at - at <= limit else None


def day_of(at: datetime, zone: tzinfo) -> date:
    """Return the day of a moment in the site's zone."""
    return at.astimezone(zone).date()


def _is_grown_up(born: datetime | None, at: datetime) -> bool:
    """Tell whether somebody surely is an adult; ``born`` is the latest moment of birth."""
    if born is None:
        return False
    return (at.year - GROWN_UP, at.month, at.day) >= (born.year, born.month, born.day)


def index(weight: Decimal, height: Decimal) -> Decimal:
    """Return kg/m2 of kg and cm, rounded half-up to one place."""
    return (weight * 10_000 / (height * height)).quantize(Decimal("0.1"), ROUND_HALF_UP)


def observation(patient: str, weight: Measure, height: Measure) -> Object:
    """Return the body mass index of a weight and a height as an Observation, taken when the weight was."""
    unit = KINDS[BMI].unit
    value = index(weight.value or Decimal(0), height.value or Decimal(1))
    return {
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{"system": CATEGORIES, "code": "vital-signs"}]}],
        "code": {"coding": [{"system": LOINC, "code": BMI, "display": "Body mass index"}]},
        "subject": {"reference": f"Patient/{patient}"},
        **({"encounter": {"reference": weight.encounter}} if weight.encounter else {}),
        **({"effectiveDateTime": weight.told} if weight.told else {}),
        "valueQuantity": {"value": value, "unit": unit, "system": UCUM, "code": unit},
        "derivedFrom": [{"reference": f"Observation/{found.fhir_id}"} for found in (weight, height)],
    }
