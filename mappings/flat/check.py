"""Whether values can stand in a flat patient record: all that is wrong with them, by field.

https://hl7.org/fhir/R4/datatypes.html; nothing is raised for bad data, since who sends many rows wants to
hear of all that is wrong at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

from mappings import times
from mappings.text import CONTROL
from storage.model.flat import BY_NAME, FIELDS, Field

if TYPE_CHECKING:
    from datetime import datetime

SEX = {**{letter: letter for letter in "MFOU"}, "I": "O", "X": "O"}
"""What may be sent as sex -> what it is kept as."""

_LINES = re.compile(r"[\t\n\r]")
_EMAIL = re.compile(r"[^@\s,;<>\"]+@[^@\s,;<>\".]+(\.[^@\s,;<>\".]+)*")
_PHONE = re.compile(r"\+?[0-9(][0-9 ()./-]*(\s*(x|ext\.?)\s*[0-9]+)?", re.IGNORECASE)
_SSN = re.compile(r"(?!000|666|9)\d{3}(-?)(?!00)\d{2}\1(?!0000)\d{4}")
MASKED_SSN = re.compile(r"\*{3}-\*{2}-\d{4}")
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d)?)?")
_MOMENT = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?)?)?")

IN_ORDER = (
    ("date_of_birth", "deceased_date"),
    ("date_of_birth", "admission_date"),
    ("admission_date", "discharge_date"),
    ("primary_insurance_effective_date", "primary_insurance_expiration_date"),
    ("secondary_insurance_effective_date", "secondary_insurance_expiration_date"),
)
"""Dates of which the first may not be later than the second."""


class Wrong(NamedTuple):
    """What is wrong with a field; the message quotes no value."""

    field: str
    message: str


def check(
    values: Mapping[str, Any],
    required: bool = True,
    at: datetime | None = None,
    present: Mapping[str, Any] | None = None,
) -> list[Wrong]:
    """Return all that is wrong with the values of a record, in the order of its fields; nothing is raised.

    ``required``: the record is a new one, so that fields which it must have may not be missing; otherwise
    None clears a field. ``at``: no birth or death is later than this moment. ``present``: the record that
    they change, whose dates theirs must fit. Read-only fields that a reader got are passed over: they may be
    sent back.
    """
    found = [Wrong(name, _unknown(name)) for name in values if name not in BY_NAME]
    bad = {wrong.field for wrong in found}
    for field in FIELDS:
        message = _field(field, values, required)
        if message is not None:
            found.append(Wrong(field.name, message))
            bad.add(field.name)
    found += [wrong for wrong in _together(values, bad, at, present or {}) if wrong.field not in bad]
    if required:
        found += [wrong for wrong in _alone(values) if wrong.field not in bad]
    return found


def _unknown(name: str) -> str:
    near = get_close_matches(name, BY_NAME, 1)
    return f"there is no field {name[:80]}" + (f"; did you mean {near[0]}?" if near else "")


def _field(field: Field, values: Mapping[str, Any], required: bool) -> str | None:
    """Return what is wrong with one field, None where nothing is."""
    value = values.get(field.name)
    if field.read_only:
        return None
    if value is None:
        wanted = field.required and (required or field.name in values)
        return "is needed" if wanted else None
    if field.kind == "decimal":
        return _number(field, value)
    if not isinstance(value, str):
        return "must be a text"
    if field.kind == "ssn" and MASKED_SSN.fullmatch(value):
        return "is masked: the whole number is needed" if required else None
    return _text(field, value) or _FORMS.get(field.kind, _no_form)(field, value)


def _number(field: Field, value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return "must be a number"
    number = Decimal(str(value))
    low, high = Decimal(str(field.low)), Decimal(str(field.high))
    if not number.is_finite() or not low <= number <= high:
        return f"must be from {field.low} to {field.high}"
    exponent = number.as_tuple().exponent
    return "has more than 6 digits after its point" if isinstance(exponent, int) and exponent < -6 else None


def _text(field: Field, value: str) -> str | None:
    if not value.strip():
        return "is blank; null clears"
    if len(value) > field.limit:
        return f"is longer than {field.limit} characters"
    if field.name == "mrn" and value != value.strip():
        return "begins or ends with a space"
    if CONTROL.search(value) or (field.kind != "long" and _LINES.search(value)):
        return "has control characters"
    if field.values and field.kind != "sex" and value not in field.values:
        return f"must be one of: {', '.join(field.values)}"
    return None


def _no_form(_: Field, __: str) -> None:
    return None


def _matches(pattern: re.Pattern[str], message: str) -> Callable[[Field, str], str | None]:
    return lambda _, value: None if pattern.fullmatch(value) else message


def _date(pattern: re.Pattern[str], message: str) -> Callable[[Field, str], str | None]:
    def see(_: Field, value: str) -> str | None:
        try:
            times.bounds(value)
        except ValueError:
            return message
        return None if pattern.fullmatch(value) else message

    return see


def _phone(_: Field, value: str) -> str | None:
    fits = _PHONE.fullmatch(value) and sum(mark.isdecimal() for mark in value) >= 3
    return None if fits else "is no telephone number"


def _sex(_: Field, value: str) -> str | None:
    return None if value.upper() in SEX else f"must be one of: {', '.join(SEX)}"


_FORMS: dict[str, Callable[[Field, str], str | None]] = {
    "date": _date(_DATE, "is no date such as 1980-01-15, 1980-01 or 1980"),
    "moment": _date(_MOMENT, "is no date such as 2026-03-02, or with a time 2026-03-02T07:30:00Z"),
    "email": _matches(_EMAIL, "is no e-mail address"),
    "ssn": _matches(_SSN, "is no social security number such as 123-45-6789"),
    "phone": _phone,
    "sex": _sex,
}


def _together(
    values: Mapping[str, Any], bad: set[str], at: datetime | None, present: Mapping[str, Any]
) -> Iterator[Wrong]:
    """Yield what fields have wrong with each other."""
    dates = {name: values.get(name) for pair in IN_ORDER for name in pair if name not in bad}
    for first, second in IN_ORDER:
        # An admission after the discharge that is known begins another stay.
        known: Mapping[str, Any] = {} if second == "discharge_date" else present
        early, late = (dates.get(name) if name in values else known.get(name) for name in (first, second))
        if early and late and times.bounds(early)[0] >= times.bounds(late)[1]:
            if second in values:
                yield Wrong(second, f"is before {first}")
            elif first in values:
                yield Wrong(first, f"is after {second}")
    for name in ("date_of_birth", "deceased_date"):
        told = dates.get(name)
        if at is not None and told and times.bounds(told)[0] > at:
            yield Wrong(name, "lies in the future")
    if dates.get("deceased_date") and values.get("status") in ("active", "inactive"):
        yield Wrong("status", "must be deceased where there is a deceased_date")
    if values.get("discharge_date") and "admission_date" in values and not values["admission_date"]:
        yield Wrong("admission_date", "is needed with discharge_date")


NEEDS = (
    ("address_line2", ("address_line1",)),
    ("discharge_date", ("admission_date",)),
    ("emergency_contact_relationship", ("emergency_contact_name", "emergency_contact_phone")),
)
"""Fields that say nothing without one of some others."""


def _alone(values: Mapping[str, Any]) -> Iterator[Wrong]:
    """Yield what a new record must have because of what else it has."""
    for name, others in NEEDS:
        if values.get(name) is not None and all(values.get(other) is None for other in others):
            yield Wrong(name, f"needs {' or '.join(others)}")
