"""The words that the revisions are written in.

They look like those of the model on purpose, but are none of them: a revision must go on making what it made
when it was written. So no word here is ever changed; a new need gets a new word.
"""

from __future__ import annotations

import json as standard_json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql


@dataclass(frozen=True)
class Index:
    """An index of the table in which it stands."""

    columns: tuple[str, ...]
    unique: bool
    where: str | None
    name: str | None
    same_nulls: bool


AT_COMMIT = {"deferrable": True, "initially": "DEFERRED"}

Part = Sequence[sa.Column[Any] | sa.Constraint | Index]
"""Some columns, constraints and indexes of a table."""


def table(name: str, *parts: Part) -> None:
    """Create a table with its constraints and indexes, all named after it."""
    items = [item for part in parts for item in part]
    indexes = [item for item in items if isinstance(item, Index)]
    made = [item for item in items if not isinstance(item, Index)]
    for item in made:
        if isinstance(item, sa.Column):
            for foreign in item.foreign_keys:
                foreign.name = f"fk_{name}_{item.name}"
        else:
            item.name = op.f(f"{PREFIXES[type(item)]}_{name}{item.info.get('suffix', '')}")
    op.create_table(name, *made)
    for item in indexes:
        create_index(name, item)


PREFIXES: dict[type[sa.Constraint], str] = {
    sa.CheckConstraint: "ck",
    sa.UniqueConstraint: "uq",
    sa.PrimaryKeyConstraint: "pk",
}


def create_index(table_name: str, made: Index) -> None:
    """Create one index."""
    kind = "uq" if made.unique else "ix"
    op.create_index(
        op.f(made.name or f"{kind}_{table_name}_{'_'.join(made.columns)}"[:63]),
        table_name,
        list(made.columns),
        unique=made.unique,
        postgresql_where=sa.text(made.where) if made.where else None,
        postgresql_nulls_not_distinct=True if made.same_nulls else None,
    )


def drop(*tables: str) -> None:
    """Drop tables, which no other table refers to by then."""
    for name in tables:
        op.drop_table(name)


def index(
    *columns: str,
    unique: bool = False,
    where: str | None = None,
    name: str | None = None,
    same_nulls: bool = False,
) -> Part:
    """Index these columns."""
    return [Index(columns, unique, where, name, same_nulls)]


def check(name: str, condition: str) -> Part:
    """Check each row."""
    return [sa.CheckConstraint(condition, info={"suffix": f"_{name}"})]


def unique(*columns: str) -> Part:
    """Forbid two rows with the same values."""
    return [sa.UniqueConstraint(*columns, info={"suffix": "_" + "_".join(columns)})]


def primary(*columns: str) -> Part:
    """Make these columns the primary key."""
    return [sa.PrimaryKeyConstraint(*columns)]


def plain(kind: Any, names: Sequence[str], *, required: bool = False, default: str | None = None) -> Part:
    """Make columns of one SQL type."""
    return [sa.Column(name, kind, nullable=not required, server_default=default) for name in names]


def text(*names: str, required: bool = False) -> Part:
    """TEXT."""
    return plain(sa.Text(), names, required=required)


def folded(*names: str) -> Part:
    """TEXT in byte order."""
    return plain(sa.Text(collation="C"), names)


def flag(*names: str, required: bool = False, default: str | None = None) -> Part:
    """BOOLEAN."""
    return plain(sa.Boolean(), names, required=required, default=default)


def instant(*names: str, required: bool = False) -> Part:
    """TIMESTAMPTZ."""
    return plain(sa.TIMESTAMP(timezone=True), names, required=required)


def json(*names: str, required: bool = False) -> Part:
    """JSON, as text."""
    return plain(postgresql.JSON(), names, required=required)


def octets(*names: str, required: bool = False) -> Part:
    """BYTEA."""
    return plain(sa.LargeBinary(), names, required=required)


def code(name: str, values: str, *, required: bool = False, default: str | None = None) -> Part:
    """VARCHAR: one of these codes, which are separated by spaces."""
    return [*plain(sa.String(), [name], required=required, default=default), *one_of(name, values.split())]


def one_of(name: str, values: Sequence[str]) -> Part:
    """Check that a column holds one of these values."""
    return check(name, f"{name} IN ({', '.join(repr(value) for value in values)})")


def integer(
    *names: str,
    low: int | None = None,
    high: int | None = None,
    required: bool = False,
    default: str | None = None,
) -> Part:
    """INTEGER, within limits."""
    return [*plain(sa.Integer(), names, required=required, default=default), *limits(names, low, high)]


def number(*names: str, low: int | None = None, high: int | None = None, required: bool = False) -> Part:
    """NUMERIC without scale, within limits."""
    return [*plain(sa.Numeric(), names, required=required), *limits(names, low, high)]


def limits(names: Sequence[str], low: int | None, high: int | None) -> Part:
    """Check that columns stay within limits."""
    made: list[Any] = []
    for name in names:
        bounds = [f"{name} >= {low}"] * (low is not None) + [f"{name} <= {high}"] * (high is not None)
        if bounds:
            made += check(name, " AND ".join(bounds))
    return made


def key(
    name: str,
    target: str | None = None,
    *,
    is_primary: bool = False,
    required: bool = False,
    ondelete: str | None = None,
    at_commit: bool = False,
) -> Part:
    """UUID, the primary key or a reference to ``target`` ("table.column"), checked at once or at commit."""
    checked: dict[str, Any] = AT_COMMIT if at_commit else {}
    foreign = [sa.ForeignKey(target, ondelete=ondelete, **checked)] if target else []
    made: list[Any] = [sa.Column(name, sa.Uuid(), *foreign, nullable=not (required or is_primary))]
    return [*made, *primary(name)] if is_primary else made


def link(**targets: str) -> Part:
    """UUID: for ``patient="patient"`` the column ``patient_id``, a reference to a row of that table.

    Checked at commit: the rows of one unit of work come in any order.
    """
    return [
        item for name, target in targets.items() for item in key(f"{name}_id", f"{target}.id", at_commit=True)
    ]


def listed(name: str, target: str, *, required: bool = False) -> Part:
    """TEXT: a code that a reference table lists."""
    return [sa.Column(name, sa.Text(), sa.ForeignKey(target), nullable=not required)]


def day(*names: str) -> Part:
    """Make a partial date: as written, and its bounds."""
    return [column for name in names for column in [*text(name), *instant(f"{name}_lo", f"{name}_hi")]]


def period(name: str) -> Part:
    """Make a period: start and end as written, and its bounds."""
    return [*text(f"{name}_start", f"{name}_end"), *instant(f"{name}_lo", f"{name}_hi")]


def quantity(name: str) -> Part:
    """Make a quantity: value, comparator, unit, system and code."""
    return [
        *number(f"{name}_value"),
        *code(f"{name}_comparator", "< <= >= >"),
        *text(f"{name}_unit", f"{name}_system", f"{name}_code"),
    ]


def canonical(name: str) -> Part:
    """Make the columns of a quantity in the unit that its kind is compared in: value and unit."""
    return [*number(name), *text(f"{name}_unit")]


def add(table_name: str, *parts: Part) -> None:
    """Add plain columns and indexes to a table that is there."""
    for item in (item for part in parts for item in part):
        if isinstance(item, Index):
            create_index(table_name, item)
        elif isinstance(item, sa.Column):
            op.add_column(table_name, item)
        else:
            raise TypeError(item)


def extend(table_name: str, *parts: Part) -> None:
    """Add columns, with their constraints and indexes, to a table that is there."""
    for item in (item for part in parts for item in part):
        if isinstance(item, Index):
            create_index(table_name, item)
        elif isinstance(item, sa.CheckConstraint):
            name = op.f(f"ck_{table_name}{item.info.get('suffix', '')}")
            op.create_check_constraint(name, table_name, item.sqltext)
        elif isinstance(item, sa.Column):
            for foreign in item.foreign_keys:
                foreign.name = f"fk_{table_name}_{item.name}"
            op.add_column(table_name, item)
        else:
            raise TypeError(item)


def recode(table_name: str, name: str, values: str) -> None:
    """Let a column of codes that is there hold these codes, which are separated by spaces."""
    op.drop_constraint(op.f(f"ck_{table_name}_{name}"), table_name)
    extend(table_name, one_of(name, values.split()))


def money(name: str) -> Part:
    """Make an amount of money: value and currency."""
    return [*number(f"{name}_value"), *text(f"{name}_currency")]


def members(name: str, values: str) -> Part:
    """JSON: a list of these codes, which are separated by spaces."""
    allowed = standard_json.dumps(values.split())
    condition = f"json_typeof({name}) = 'array' AND CAST({name} AS jsonb) <@ CAST('{allowed}' AS jsonb)"
    return [*json(name), *check(name, condition)]


def attributes(name: str) -> Part:
    """JSON: a list of anything."""
    return [*json(name), *check(name, f"json_typeof({name}) = 'array'")]


def resource_key() -> Part:
    """Make the primary key of a row that is a resource, or a detail of one."""
    return key("id", "resource.id", is_primary=True, ondelete="CASCADE")


def child() -> Part:
    """Make what every element of an array has."""
    return [
        *key("id", is_primary=True),
        *key("owner_id", "resource.id", required=True, ondelete="CASCADE"),
        *integer("item_no", required=True),
        *json("remainder"),
    ]


def hanging() -> Part:
    """Make what a row has that may hang on any element of a resource."""
    return [*child(), *key("child_id")]


def research_case(sides: str) -> Part:
    """Make what every kind of research case has as of revision 0006; ``sides`` can be operated on."""
    return [
        *resource_key(),
        *key("encounter_id", "encounter.id", required=True, at_commit=True),
        *link(procedure="procedure", surgeon="practitioner", trainee="practitioner"),
        *day("surgery_date"),
        *code("side", sides),
        *code("case_type", "primary revision conversion"),
        *code("trainee_role", "observed assisted performed_supervised performed_independent"),
        *integer("trainee_pgy", low=1, high=10),
        *integer("asa_class", low=1, high=6),
        *code("anesthesia", "general spinal epidural regional_block general_block spinal_block mac local"),
        *number("bmi_at_surgery"),
        *code("smoking", "never former current unknown"),
        *flag("diabetes", "antibiotic_prophylaxis"),
        *code("vte_prophylaxis", "none mechanical aspirin lmwh doac warfarin other"),
        *flag("tranexamic_acid"),
        *number("operative_minutes", "blood_loss_ml", low=0),
        *flag("intraop_complication"),
        *text("intraop_complication_text"),
        *number("los_days"),
        *code("discharge_to", "home home_health rehab snf other"),
        *flag("readmitted_30d", "readmitted_90d", "reoperated"),
        *day("reoperation_date"),
        *text("reoperation_reason"),
        *code("followup_status", "active complete lost withdrawn deceased"),
        *day("last_followup_date"),
        *text("registry_id", "notes"),
        *unique("registry_id"),
        *index("encounter_id"),
        *index("procedure_id"),
        *index("surgeon_id", "surgery_date_lo"),
        *index("side", "surgery_date_lo"),
    ]
