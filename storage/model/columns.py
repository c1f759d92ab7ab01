"""The words that tables are written in: each attribute of a table class is a named group of columns.

``birth_date = date()`` in a class ``Patient`` makes the columns ``birth_date``, ``birth_date_lo`` and
``birth_date_hi`` of the table ``patient``, and ``Patient.birth_date`` is the group itself, which mappings and
searches name. A group that spans several columns (a partial date, a period, a quantity) is thus one word
everywhere, and a typing mistake fails at import.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

METADATA = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

Row = dict[str, Any]
"""One row, by column name."""

TIMESTAMP = sa.TIMESTAMP(timezone=True)


class Group:
    """A named group of columns of one table: its name with each of ``suffixes``, '' being the name itself."""

    suffixes: ClassVar[tuple[str, ...]] = ("",)

    def __init__(self, *, required: bool = False, unique: bool = False, default: str | None = None) -> None:
        self.required = required
        self.unique = unique
        self.default = default
        self.primary = False
        self.name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        # A class attribute may not shadow a Python keyword or builtin: class_ stands for the column "class".
        self.name = name.rstrip("_")

    def attach(self, table: sa.Table, *, detail: bool) -> None:
        """Remember the table that the group became part of, and whether it is a 1:1 detail of a resource."""
        self.table = table
        self.detail = table.name if detail else None
        self.names = tuple(self.name + suffix for suffix in self.suffixes)

    def initial(self) -> Any:
        """Return the default as a Python value."""
        return self.default

    def column(self, suffix: str = "") -> sa.Column[Any]:
        """Return the SQLAlchemy column of this group with the given suffix."""
        return self.table.c[self.name + suffix]

    def types(self) -> tuple[Any, ...]:
        """Return one SQLAlchemy type for each suffix."""
        raise NotImplementedError(type(self))

    def columns(self) -> list[sa.Column[Any]]:
        """Make the columns."""
        made = [
            sa.Column(self.name + suffix, kind, nullable=not self.required, server_default=self.default)
            for suffix, kind in zip(self.suffixes, self.types(), strict=True)
        ]
        made[0].unique = self.unique or None
        made[0].primary_key = self.primary
        return made

    def constraints(self) -> list[sa.Constraint]:
        """Make the constraints that belong to the group."""
        return []


class Plain(Group):
    """One column of one SQL type."""

    def __init__(
        self, kind: Any, *, required: bool = False, unique: bool = False, default: str | None = None
    ) -> None:
        super().__init__(required=required, unique=unique, default=default)
        self.kind = kind

    def types(self) -> tuple[Any, ...]:
        return (self.kind,)


class Text(Plain):
    """TEXT; ``limit`` is what native forms check and HL7v2 peers expect, not a limit of the column."""

    def __init__(self, limit: int | None = None, *, required: bool = False, unique: bool = False) -> None:
        super().__init__(sa.Text(), required=required, unique=unique)
        self.limit = limit


class Normalised(Plain):
    """Folded text for search (``norm``): byte order, so that a prefix is a range of an index."""

    def __init__(self) -> None:
        super().__init__(sa.Text(collation="C"))


class Code(Group):
    """A closed list of codes, checked by the database."""

    def __init__(self, *values: str, required: bool = False, default: str | None = None) -> None:
        super().__init__(required=required, default=default)
        self.values = values

    def types(self) -> tuple[Any, ...]:
        return (sa.String(),)

    def constraints(self) -> list[sa.Constraint]:
        listed = ", ".join(f"'{value}'" for value in self.values)
        return [sa.CheckConstraint(f"{self.name} IN ({listed})", name=self.name)]


class Integer(Plain):
    """INTEGER, within limits where they are given."""

    def __init__(
        self,
        low: int | None = None,
        high: int | None = None,
        *,
        required: bool = False,
        default: str | None = None,
    ) -> None:
        super().__init__(sa.Integer(), required=required, default=default)
        self.low, self.high = low, high

    def initial(self) -> Any:
        return int(self.default or 0)

    def constraints(self) -> list[sa.Constraint]:
        return limits(self.name, self.low, self.high)


class Decimal(Integer):
    """NUMERIC without scale: ``1.00`` stays ``1.00``."""

    def __init__(
        self,
        low: int | None = None,
        high: int | None = None,
        *,
        unit: str | None = None,
        required: bool = False,
    ) -> None:
        super().__init__(low, high, required=required)
        self.kind = sa.Numeric()
        self.unit = unit


def limits(name: str, low: int | None, high: int | None) -> list[sa.Constraint]:
    """Make the CHECK of a number within limits."""
    parts = [f"{name} >= {low}"] * (low is not None) + [f"{name} <= {high}"] * (high is not None)
    return [sa.CheckConstraint(" AND ".join(parts), name=name)] if parts else []


class Boolean(Plain):
    """BOOLEAN."""

    def __init__(self, *, required: bool = False, default: str | None = None) -> None:
        super().__init__(sa.Boolean(), required=required, default=default)

    def initial(self) -> Any:
        return self.default == "true"


class Instant(Plain):
    """TIMESTAMPTZ, UTC, microseconds (``ts``)."""

    def __init__(self, *, required: bool = False) -> None:
        super().__init__(TIMESTAMP, required=required)


class Json(Plain):
    """json, which keeps its text as written (jsonb would respell numbers); never queried inside."""

    def __init__(self, *, required: bool = False) -> None:
        super().__init__(postgresql.JSON(none_as_null=True), required=required)


class Bytes(Plain):
    """BYTEA."""

    def __init__(self, *, required: bool = False) -> None:
        super().__init__(sa.LargeBinary(), required=required)


class Key(Plain):
    """UUID, a primary key or a foreign key to ``target`` ("table.column")."""

    checked: ClassVar[dict[str, Any]] = {}
    """When the foreign key is checked: at once."""

    def __init__(
        self,
        target: str | None = None,
        *,
        primary: bool = False,
        required: bool = False,
        unique: bool = False,
        ondelete: str | None = None,
        later: bool = False,
    ) -> None:
        super().__init__(sa.Uuid(), required=required or primary, unique=unique)
        self.primary = primary
        self.target = target
        self.ondelete = ondelete
        self.later = later

    def columns(self) -> list[sa.Column[Any]]:
        made = super().columns()
        if self.target:
            # "later" breaks a circle of tables: the constraint is added when both tables are there.
            made[0].append_foreign_key(
                sa.ForeignKey(self.target, ondelete=self.ondelete, use_alter=self.later, **self.checked)
            )
        return made


class Link(Key):
    """``REF(t)``: the column ``<name>_id``, a foreign key to the table ``target``.

    How the reference was written stands in the table ``reference``.
    """

    suffixes = ("_id",)
    # At commit: the resources of one unit of work may refer to each other in any order.
    checked: ClassVar[dict[str, Any]] = {"deferrable": True, "initially": "DEFERRED"}

    def __init__(
        self,
        target: str,
        *,
        required: bool = False,
        unique: bool = False,
        ondelete: str | None = None,
        later: bool = False,
    ) -> None:
        super().__init__(f"{target}.id", required=required, unique=unique, ondelete=ondelete, later=later)
        self.target_table = target


class Listed(Text):
    """TEXT: a code of a reference table, whose column ``target`` ("table.column") lists what is allowed."""

    def __init__(self, target: str, limit: int | None = None, *, required: bool = False) -> None:
        super().__init__(limit, required=required)
        self.target = target

    def columns(self) -> list[sa.Column[Any]]:
        made = super().columns()
        made[0].append_foreign_key(sa.ForeignKey(self.target))
        return made


class Date(Group):
    """``FD``: a FHIR date, dateTime or instant: the text as given, and half-open UTC bounds for search."""

    suffixes = ("", "_lo", "_hi")

    def types(self) -> tuple[Any, ...]:
        return (sa.Text(), TIMESTAMP, TIMESTAMP)


class Period(Group):
    """``PER``: start and end as given, and the half-open UTC bounds of the whole."""

    suffixes = ("_start", "_end", "_lo", "_hi")

    def types(self) -> tuple[Any, ...]:
        return (sa.Text(), sa.Text(), TIMESTAMP, TIMESTAMP)


class Quantity(Group):
    """``QTY``: value, comparator, unit, system and code."""

    suffixes = ("_value", "_comparator", "_unit", "_system", "_code")
    comparators = ("<", "<=", ">=", ">")

    def types(self) -> tuple[Any, ...]:
        return (sa.Numeric(), sa.String(), sa.Text(), sa.Text(), sa.Text())

    def constraints(self) -> list[sa.Constraint]:
        name = f"{self.name}_comparator"
        listed = ", ".join(f"'{value}'" for value in self.comparators)
        return [sa.CheckConstraint(f"{name} IN ({listed})", name=name)]


class Money(Group):
    """Money: a value and a currency of ISO 4217."""

    suffixes = ("_value", "_currency")

    def types(self) -> tuple[Any, ...]:
        return (sa.Numeric(), sa.Text())


class Canonical(Group):
    """A quantity in the unit that its kind is compared in: value and unit (see ``Quantity``); for search."""

    suffixes = ("", "_unit")

    def types(self) -> tuple[Any, ...]:
        return (sa.Numeric(), sa.Text())


class Lexemes(Plain):
    """TSVECTOR: the words of a text."""

    def __init__(self) -> None:
        super().__init__(postgresql.TSVECTOR())


@dataclass(frozen=True)
class Index:
    """An index over columns.

    ``where`` makes it partial, ``name`` is given where the columns' names are too long, ``same_nulls`` makes
    a unique one take two NULLs for the same value, ``using`` names its kind where it is not a B-tree.
    """

    columns: tuple[str, ...]
    unique: bool = False
    where: str | None = None
    name: str | None = None
    same_nulls: bool = False
    using: str | None = None


def index(
    *columns: str,
    unique: bool = False,
    where: str | None = None,
    name: str | None = None,
    same_nulls: bool = False,
    using: str | None = None,
) -> Index:
    """Declare an index of the table."""
    return Index(columns, unique, where, name, same_nulls, using)


BY_TABLE: dict[str, type[Table]] = {}
"""Each table class by the name of its table, in the order of definition."""


class Table:
    """A table; its groups are the class attributes, in order. ``abstract`` classes only lend their groups."""

    table: ClassVar[sa.Table]
    groups: ClassVar[dict[str, Group]] = {}
    is_detail: ClassVar[bool] = False
    """Whether a row is a 1:1 detail of a resource, beside its typed row."""
    _blank: ClassVar[Row] = {}
    parent_column: ClassVar[str | None] = None
    """The column that names the row within the resource that a row hangs on, if it hangs on one."""
    element_column: ClassVar[str | None] = None
    """The column that tells which element of the resource a row holds."""

    def __init_subclass__(
        cls,
        *,
        name: str | None = None,
        indexes: tuple[Index, ...] = (),
        constraints: tuple[sa.Constraint, ...] = (),
    ) -> None:
        own = {key: value for key, value in vars(cls).items() if isinstance(value, Group)}
        inherited = {key: fresh(key, group) for key, group in cls.groups.items() if key not in own}
        cls.groups = {**inherited, **own}
        for key, group in inherited.items():
            setattr(cls, key, group)
        if name is not None:
            build(cls, name, indexes, constraints)

    @classmethod
    def blank(cls) -> Row:
        """Return a row whose every column is None, or has the column's default."""
        return cls._blank.copy()


def fresh(key: str, group: Group) -> Group:
    """Copy an inherited group, so that it can belong to a table of its own."""
    made = object.__new__(type(group))
    made.__dict__.update(group.__dict__)
    made.__set_name__(Table, key)
    return made


def build(
    cls: type[Table], name: str, indexes: tuple[Index, ...], constraints: tuple[sa.Constraint, ...]
) -> None:
    """Make the SQLAlchemy table of a table class and tell each group of it."""
    groups = list(cls.groups.values())
    columns = [column for group in groups for column in group.columns()]
    checks = [constraint for group in groups for constraint in group.constraints()]
    cls.table = sa.Table(name, METADATA, *columns, *checks, *constraints)
    cls._blank = dict.fromkeys(cls.table.c.keys()) | {  # pyright: ignore[reportPrivateUsage]
        group.name: group.initial() for group in groups if group.default is not None
    }
    for group in groups:
        group.attach(cls.table, detail=cls.is_detail)
    for made in indexes:
        title = made.name or f"{'uq' if made.unique else 'ix'}_{name}_{'_'.join(made.columns)}"[:63]
        where = sa.text(made.where) if made.where else None
        listed = (cls.table.c[column] for column in made.columns)
        nulls = True if made.same_nulls else None
        sa.Index(
            title,
            *listed,
            unique=made.unique,
            postgresql_where=where,
            postgresql_nulls_not_distinct=nulls,
            postgresql_using=made.using or False,
        )
    BY_TABLE[name] = cls


__all__ = [
    "BY_TABLE",
    "METADATA",
    "Boolean",
    "Bytes",
    "Canonical",
    "Code",
    "Date",
    "Decimal",
    "Group",
    "Index",
    "Instant",
    "Integer",
    "Json",
    "Key",
    "Lexemes",
    "Link",
    "Listed",
    "Money",
    "Normalised",
    "Period",
    "Plain",
    "Quantity",
    "Row",
    "Table",
    "Text",
    "index",
]
