"""The value of a research column: as FHIR's value[x], as JSON of the native interface, as a column.

https://hl7.org/fhir/R4/observation-definitions.html#Observation.component.value_x_

Each kind of column has one class here: which value[x] it is, how that is read, how it is written. Limits and
lists are checked in one place for both doors.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from mappings.codecs import DATETIME, number
from mappings.concepts import SIDES, SNOMED
from mappings.element import Refused, Unclaimed
from mappings.research.codes import CASE, codings, side_of, value_system
from mappings.units import UCUM, convert

if TYPE_CHECKING:
    from mappings.element import Value
    from storage.model.columns import Row
    from storage.model.research import CaseKind, Column


class Ordinary(Exception):
    """A component that no column holds: it stays what it is, and nothing is lost."""


class ColumnValue(Protocol):
    """How a kind of column is written: ``element`` is its value[x]."""

    element: str

    def read(self, kind: CaseKind, column: Column, value: Value, where: str) -> Any:
        """Return the column's value of a value[x]; raises Ordinary, and Refused at ``where``."""
        ...

    def draw(self, kind: CaseKind, column: Column, value: Any) -> Value:
        """Return the value[x] of a column's value."""
        ...

    def accept(self, column: Column, value: Value, where: str) -> Any:
        """Return the column's value of a JSON value; raises Refused at ``where``."""
        ...


def wrong_type(value: Value, where: str, wanted: str) -> Refused:
    """Say that a value is not of the type wanted."""
    return Refused("value", where, value, wanted)


class ListedCode:
    """One of a closed list: a coding of the list's own code system."""

    element = "valueCodeableConcept"

    def read(self, kind: CaseKind, column: Column, value: Value, where: str) -> Any:
        return listed_code(value, (value_system(kind, column), CASE), column, where)

    def draw(self, kind: CaseKind, column: Column, value: Any) -> Value:
        made = [{"system": value_system(kind, column), "code": value}]
        if column.name == "side" and value in SIDES:
            made.append({"system": SNOMED, "code": SIDES[value][0]})
        return {"coding": made}

    def accept(self, column: Column, value: Value, where: str) -> Any:
        if type(value) is not str:
            raise wrong_type(value, where, ", ".join(column.values))
        return checked(column, value, where)


def listed_code(value: Value, systems: Sequence[str], column: Column, where: str) -> str:
    """Return the code of a CodeableConcept in a column's list.

    Raises Ordinary where there is only text, Refused where it is coded but not in the list.
    """
    found = codings(value)
    own = [coding for coding in found if coding.get("system") in (*systems, None)]
    for coding in own:
        if coding.get("code") in column.values:
            return str(coding["code"])
    if column.name == "side" and (side := side_of(value, column.values)):
        return side
    if not found:
        raise Ordinary
    told = next((coding.get("code") for coding in (*own, *found)), None)
    raise Refused("code-invalid", where, told, ", ".join(column.values))


class Measure:
    """A number in the column's unit; other units are converted, the component keeps what was sent."""

    element = "valueQuantity"

    def read(self, kind: CaseKind, column: Column, value: Value, where: str) -> Any:
        del kind
        return checked(column, quantity_in(value, column.unit or "1", where), where)

    def draw(self, kind: CaseKind, column: Column, value: Any) -> Value:
        del kind
        return quantity(value, column.unit or "1")

    def accept(self, column: Column, value: Value, where: str) -> Any:
        return checked(column, plain_number(value, where), where)


def quantity(value: Any, unit: str) -> dict[str, Any]:
    """Return the Quantity of a number in a UCUM unit."""
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def quantity_in(value: Value, wanted: str, where: str) -> Decimal:
    """Return the number of a Quantity in a unit.

    Raises Ordinary where it is not one exact number, Refused where its unit cannot be converted.
    """
    if "value" not in value or value.get("comparator"):
        raise Ordinary
    try:
        found = number(value["value"])
    except Unclaimed:
        raise Ordinary from None
    code = (value.get("code") or value.get("unit")) if value.get("system", UCUM) == UCUM else value["system"]
    made = convert(found, code, wanted)
    if made is None:
        raise Refused("value", where, code, f"a unit of UCUM that is convertible to {wanted}")
    return made


def plain_number(value: Value, where: str) -> Decimal:
    """Return a JSON number as the database keeps it; raises Refused."""
    if type(value) is float:
        value = Decimal(repr(value))
    try:
        return number(value)
    except Unclaimed:
        raise wrong_type(value, where, "a number") from None


class WholeNumber:
    """A whole number: valueInteger, or a Quantity where the column has a unit."""

    element = "valueInteger"

    def read(self, kind: CaseKind, column: Column, value: Value, where: str) -> Any:
        del kind
        if column.unit:
            found = quantity_in(value, column.unit, where)
            if found != found.to_integral_value():
                raise wrong_type(found, where, "a whole number")
            value = int(found)
        return self.accept(column, value, where)

    def draw(self, kind: CaseKind, column: Column, value: Any) -> Value:
        del kind
        return quantity(value, column.unit) if column.unit else value

    def accept(self, column: Column, value: Value, where: str) -> Any:
        if type(value) is not int or not -(2**31) <= value < 2**31:
            raise wrong_type(value, where, "a whole number")
        return checked(column, value, where)


class Plain:
    """A value that is the same everywhere."""

    element = "valueBoolean"

    def read(self, kind: CaseKind, column: Column, value: Value, where: str) -> Any:
        del kind
        return self.accept(column, value, where)

    def draw(self, kind: CaseKind, column: Column, value: Any) -> Value:
        del kind, column
        return value

    def accept(self, column: Column, value: Value, where: str) -> Any:
        raise NotImplementedError(type(self))


class TrueOrFalse(Plain):
    """A boolean."""

    def accept(self, column: Column, value: Value, where: str) -> Any:
        del column
        if type(value) is not bool:
            raise wrong_type(value, where, "true, false")
        return value


class Words(Plain):
    """A text; its length is only the native interface's concern."""

    element = "valueString"

    def accept(self, column: Column, value: Value, where: str) -> Any:
        del column
        if type(value) is not str or not value:
            raise wrong_type(value, where, "a text")
        return value


DATE_FORMS = "YYYY, YYYY-MM, YYYY-MM-DD, or with the time and its zone"
_DATE = re.compile(r"\d{4}(-\d\d(-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d))?)?)?\Z", re.ASCII)


class Day(Plain):
    """A date, which may be partial."""

    element = "valueDateTime"

    def accept(self, column: Column, value: Value, where: str) -> Any:
        del column
        try:
            DATETIME.to_row(value)
        except Unclaimed:
            raise wrong_type(value, where, DATE_FORMS) from None
        if not _DATE.match(value):
            raise wrong_type(value, where, DATE_FORMS)
        return value


def checked(column: Column, value: Any, where: str) -> Any:
    """Return a value that is in the column's list and within its limits; raises Refused."""
    if column.values and value not in column.values:
        raise Refused("code-invalid", where, value, ", ".join(column.values))
    low, high = column.low, column.high
    if (low is not None and value < low) or (high is not None and value > high):
        limits = f"{low} to {high}" if high is not None else f"{low} or more"
        raise Refused("value", where, value, f"{limits} {column.unit or ''}".strip())
    return value


_CODE = ListedCode()
_WORDS = Words()
KINDS: dict[str, ColumnValue] = {
    "enum": _CODE,
    "set": _CODE,
    "listed": _WORDS,
    "quantity": Measure(),
    "integer": WholeNumber(),
    "boolean": TrueOrFalse(),
    "text": _WORDS,
    "date": Day(),
}
"""By kind of column; of a ``set`` each member is one value. Attributes are in ``attributes``."""


def element_of(column: Column) -> str:
    """Return which value[x] a column's component has."""
    return "valueQuantity" if column.kind == "integer" and column.unit else KINDS[column.kind].element


def held(row: Row, column: Column) -> Any:
    """Return what the detail row holds of a column: a list where it is a ``set`` or attributes."""
    return row[column.name]


def hold(row: Row, column: Column, value: Any) -> None:
    """Put a value (None clears) into the columns of the detail row."""
    if column.kind != "date":
        row[column.name] = value
        return
    columns = (None, None, None) if value is None else DATETIME.to_row(value)
    for suffix, part in zip(("", "_lo", "_hi"), columns, strict=True):
        row[column.name + suffix] = part
