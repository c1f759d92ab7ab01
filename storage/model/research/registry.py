"""The registry of research columns: one line per column, from which tables, mapping, CSV and search are made.

Adding a column is one line here and one migration. The kinds: ``enum`` (one of a list), ``set`` (several of
a list), ``quantity`` (a number in a fixed unit), ``integer``, ``boolean``, ``text``, ``date``,
``listed`` (a code of a reference table) and ``attributes`` (a list of code, kind, value and unit).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from types import new_class
from typing import Literal, cast

import sqlalchemy as sa

from storage.model.columns import (
    Boolean,
    Code,
    Date,
    Decimal,
    Group,
    Index,
    Integer,
    Json,
    Listed,
    Table,
    Text,
    index,
)

KindName = Literal["enum", "set", "quantity", "integer", "boolean", "text", "date", "listed", "attributes"]


@dataclass(frozen=True)
class Kind:
    """What a column holds: a closed list, a unit, limits (inclusive; of a text, ``high`` is its length)."""

    name: KindName
    values: tuple[str, ...] = ()
    unit: str | None = None
    low: int | None = None
    high: int | None = None
    target: str = ""


@dataclass(frozen=True)
class Column:
    """One line of the registry.

    ``common`` columns are in all eight tables. A ``header`` column stands in the observation itself (its
    date, note, identifier or value); every other one is a component of it.
    """

    name: str
    kind: KindName
    values: tuple[str, ...] = ()
    unit: str | None = None
    low: int | None = None
    high: int | None = None
    target: str = ""
    loinc: str | None = None
    required: bool = False
    unique: bool = False
    common: bool = False
    header: bool = False

    def group(self) -> Group:
        """Make the columns of the table."""
        return GROUPS[self.kind](self)


@dataclass(frozen=True)
class CaseKind:
    """A kind of research case, or of its members: ``name`` is its table's name.

    ``path`` is its part of the address of the native interface, ``code`` its code among the research cases,
    ``site`` the SNOMED CT code of the joint.
    """

    name: str
    path: str
    code: str
    columns: tuple[Column, ...]
    table: type[Table]
    site: str | None = None
    by_name: dict[str, Column] = field(default_factory=dict[str, Column], compare=False)

    def __post_init__(self) -> None:
        self.by_name.update((column.name, column) for column in self.columns)


class Members(Json):
    """json: a list of codes of a closed list."""

    def __init__(self, *values: str) -> None:
        super().__init__()
        self.values = values

    def constraints(self) -> list[sa.Constraint]:
        allowed = json.dumps(list(self.values))
        text = (
            f"json_typeof({self.name}) = 'array' AND CAST({self.name} AS jsonb) <@ CAST('{allowed}' AS jsonb)"
        )
        return [sa.CheckConstraint(text, name=self.name)]


class Attributes(Json):
    """json: a list of attributes."""

    def constraints(self) -> list[sa.Constraint]:
        return [sa.CheckConstraint(f"json_typeof({self.name}) = 'array'", name=self.name)]


GROUPS: dict[KindName, Callable[[Column], Group]] = {
    "enum": lambda c: Code(*c.values, required=c.required),
    "set": lambda c: Members(*c.values),
    "quantity": lambda c: Decimal(c.low, c.high, unit=c.unit, required=c.required),
    "integer": lambda c: Integer(c.low, c.high, required=c.required),
    "boolean": lambda c: Boolean(required=c.required),
    "text": lambda c: Text(c.high, required=c.required, unique=c.unique),
    "date": lambda _: Date(),
    "listed": lambda c: Listed(c.target, required=c.required),
    "attributes": lambda _: Attributes(),
}


def enum(*values: str) -> Kind:
    """One of these codes."""
    return Kind("enum", values)


def members(*values: str) -> Kind:
    """Several of these codes (``set`` in the tables)."""
    return Kind("set", values)


def q(unit: str, low: int | None = None, high: int | None = None) -> Kind:
    """Make the kind of a number in this UCUM unit."""
    return Kind("quantity", unit=unit, low=low, high=high)


def integer(low: int | None = None, high: int | None = None) -> Kind:
    """Make the kind of a whole number within limits."""
    return Kind("integer", low=low, high=high)


def listed(target: str) -> Kind:
    """Make the kind of a code that a reference table lists ("table.column")."""
    return Kind("listed", target=target)


boolean = Kind("boolean")
text = Kind("text")
day = Kind("date")
attributes = Kind("attributes")


def column(
    name: str,
    kind: Kind,
    *,
    loinc: str | None = None,
    required: bool = False,
    unique: bool = False,
    header: bool = False,
) -> Column:
    """Write one line of the registry."""
    return Column(
        name,
        kind.name,
        kind.values,
        kind.unit,
        kind.low,
        kind.high,
        kind.target,
        loinc,
        required,
        unique,
        header=header,
    )


def columns(kind: Kind, *names: str) -> tuple[Column, ...]:
    """Write several lines of the same kind."""
    return tuple(column(name, kind) for name in names)


def common(lines: Iterable[Column]) -> tuple[Column, ...]:
    """Mark columns that all eight tables have."""
    return tuple(replace(line, common=True) for line in lines)


def build_table(
    base: type[Table], name: str, lines: Iterable[Column], indexes: tuple[Index, ...]
) -> type[Table]:
    """Make the table of a kind: the columns of ``base``, then those of the registry."""
    groups = {line.name: line.group() for line in lines}
    title = "".join(part.capitalize() for part in name.split("_"))
    made = new_class(title, (base,), {"name": name, "indexes": indexes}, lambda body: body.update(groups))
    return cast("type[Table]", made)


def indexes_of_case() -> tuple[Index, ...]:
    """Declare the indexes that each of the eight tables has."""
    return (
        index("encounter_id"),
        index("procedure_id"),
        index("surgeon_id", "surgery_date_lo"),
        index("side", "surgery_date_lo"),
    )
