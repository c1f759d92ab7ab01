"""The flat patient record as callers see it, and texts of a table made values of it.

https://hl7.org/fhir/R4/patient.html
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from storage.lexical import decimal_of
from storage.model.flat import BY_NAME

Row = dict[str, Any]


def masked(row: Mapping[str, Any], role: str | None) -> Row:
    """Return a record with its social security number shown whole to administrators only: the last four
    digits to others.
    """
    told = row.get("ssn")
    return {**row, "ssn": mask(told)} if told and role != "admin" else dict(row)


def mask(ssn: str) -> str:
    """Return a social security number with its last four digits alone."""
    return f"***-**-{ssn[-4:]}"


def typed(texts: Mapping[str, str | None]) -> Row:
    """Return the values of a row of texts: blank ones left out, numbers as numbers.

    What is no number stays a text, so that ``check`` finds it.
    """
    given = {name: text.strip() for name, text in texts.items() if text is not None and text.strip()}
    return {name: _typed(name, text) for name, text in given.items()}


def _typed(name: str, text: str) -> str | Decimal:
    field = BY_NAME.get(name)
    if field is None or field.kind != "decimal":
        return text
    try:
        return decimal_of(text) if text.replace(".", "", 1).isdecimal() else text
    except InvalidOperation:
        return text
