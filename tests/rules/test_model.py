"""Rules of the relational model that no single table shows."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from storage.model import BY_TABLE, METADATA
from storage.model.columns import Code, Group, Table
from storage.model.observation import DETAILS
from storage.model.research import COMMON, KINDS, MEMBERS, CaseKind
from storage.model.research.registry import Members
from storage.model.resource import Child

LONGEST_NAME = 63
CODE = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_-]*$")

# Foreign keys to these tables may go without an index; why each may:
SEARCHED_BY_REFERENCE = (
    "searches go by the table reference, and only an administrator removes such a row for good"
)
NEVER_REMOVED = "its rows are switched off, not removed, and nobody asks what refers to one"
UNINDEXED = {
    "app_user": NEVER_REMOVED,
    "hl7_message": "what a message wrote is found by hl7_message_link",
    "location": SEARCHED_BY_REFERENCE,
    "organization": SEARCHED_BY_REFERENCE,
    "practitioner": SEARCHED_BY_REFERENCE,
    "ref_body_part": NEVER_REMOVED,
    "ref_imaging_modality": NEVER_REMOVED,
    "ref_lab_test": NEVER_REMOVED,
    "resource": SEARCHED_BY_REFERENCE,
}

TABLES = sorted(BY_TABLE)
CASES_AND_MEMBERS = [*KINDS.values(), *MEMBERS.values()]


def groups(kind: type[Group]) -> Iterator[tuple[str, Group]]:
    for table in BY_TABLE.values():
        for group in table.groups.values():
            if isinstance(group, kind):
                yield f"{table.table.name}.{group.name}", group


def first_columns(table: sa.Table) -> set[str]:
    """The columns by which rows can be found: the first of each index and of each key."""
    keys = (sa.PrimaryKeyConstraint, sa.UniqueConstraint)
    listed = [*table.indexes, *(made for made in table.constraints if isinstance(made, keys))]
    return {made.columns[0].name for made in listed if len(made.columns)}


def names_of(table: sa.Table) -> Iterator[str]:
    yield table.name
    yield from table.c.keys()
    yield from (str(made.name) for made in [*table.constraints, *table.indexes])


def test_every_closed_list_has_codes_and_each_once() -> None:
    for place, group in [*groups(Code), *groups(Members)]:
        values = getattr(group, "values")  # noqa: B009 - Code and Members both have them
        assert values, place
        assert len(set(values)) == len(values), place
        assert all(CODE.match(value) for value in values), place


@pytest.mark.parametrize("table", TABLES)
def test_no_name_is_longer_than_the_database_keeps(table: str) -> None:
    too_long = [name for name in names_of(BY_TABLE[table].table) if len(name) > LONGEST_NAME]
    assert too_long == []


def test_index_names_are_not_shared() -> None:
    names = [str(made.name) for table in METADATA.tables.values() for made in table.indexes]
    assert sorted(names) == sorted(set(names))


@pytest.mark.parametrize("table", TABLES)
def test_every_foreign_key_is_indexed_or_need_not_be(table: str) -> None:
    made = BY_TABLE[table].table
    found_by = first_columns(made)
    without = [
        f"{foreign.parent.name} -> {foreign.column.table.name}"
        for foreign in made.foreign_keys
        if foreign.parent.name not in found_by
        if foreign.ondelete == "CASCADE" or foreign.column.table.name not in UNINDEXED
    ]
    assert without == []


def test_every_excuse_for_a_missing_index_is_needed() -> None:
    used = {
        foreign.column.table.name
        for table in METADATA.tables.values()
        for foreign in table.foreign_keys
        if foreign.parent.name not in first_columns(table)
    }
    assert used == set(UNINDEXED)


@pytest.mark.parametrize("table", [name for name in TABLES if issubclass(BY_TABLE[name], Child)])
def test_rows_of_an_array_are_found_by_their_resource_and_go_with_it(table: str) -> None:
    made = BY_TABLE[table].table
    (foreign,) = made.c.owner_id.foreign_keys
    assert "owner_id" in first_columns(made)
    assert (foreign.target_fullname, foreign.ondelete) == ("resource.id", "CASCADE")


@pytest.mark.parametrize("table", TABLES)
def test_every_column_belongs_to_one_group(table: str) -> None:
    cls = BY_TABLE[table]
    named = [name for group in cls.groups.values() for name in group.names]
    assert sorted(named) == sorted(cls.table.c.keys())
    assert all(group.table is cls.table for group in cls.groups.values())


def test_the_tables_can_be_put_in_order() -> None:
    # A circle of tables would make this warn, which the suite takes for an error.
    assert {table.name for table in METADATA.sorted_tables} == set(BY_TABLE)


def test_an_observation_can_have_each_detail_that_there_is() -> None:
    assert set(DETAILS) == {"none", "arterial_finding", *KINDS, *MEMBERS}


@pytest.mark.parametrize("kind", CASES_AND_MEMBERS, ids=lambda kind: kind.name)
def test_a_research_table_has_the_columns_of_its_registry_in_order(kind: CaseKind) -> None:
    groups_of_registry = [name for name in kind.table.groups if name in kind.by_name]
    assert groups_of_registry == [line.name for line in kind.columns]
    assert len(kind.by_name) == len(kind.columns)


@pytest.mark.parametrize("kind", CASES_AND_MEMBERS, ids=lambda kind: kind.name)
def test_a_line_of_the_registry_says_what_its_kind_needs(kind: CaseKind) -> None:
    for line in kind.columns:
        assert bool(line.values) == (line.kind in ("enum", "set")), line
        assert bool(line.unit) == (line.kind == "quantity"), line
        assert bool(line.target) == (line.kind == "listed"), line
        assert line.low is None or line.high is None or line.low < line.high, line


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_all_kinds_of_case_share_the_common_columns(kind: CaseKind) -> None:
    shared = [line.name for line in kind.columns if line.common]
    assert shared == [line.name for line in COMMON]
    assert (kind.name, kind.site is None) == (f"rc_{kind.path}", kind.path == "other")


def test_kinds_are_told_apart_by_path_and_code() -> None:
    assert len({kind.path for kind in CASES_AND_MEMBERS}) == len(CASES_AND_MEMBERS)
    assert len({kind.code for kind in CASES_AND_MEMBERS}) == len(CASES_AND_MEMBERS)


def test_a_table_class_is_found_by_the_name_of_its_table() -> None:
    assert all(issubclass(cls, Table) and cls.table.name == name for name, cls in BY_TABLE.items())
