"""Search by reference: what it points to, how it is written, whom it identifies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from storage.model.resource import Resource
from storage.model.shared import Reference
from storage.search.query import Linked, Ref, Refers, Token
from storage.search.scope import Columns, Test, alias, one_of

# Names far from those of scopes, within any of which this may stand.
_FAR = 80


def refers(target: Refers, values: Sequence[Ref], columns: Columns) -> Test:
    """Return that a reference is one of the values."""
    by_type: dict[str | None, list[str]] = {}
    tests: list[Test] = []
    for value in values:
        if value.along:
            tests.append(columns["target_id"].in_(_reached(value)))
        elif value.fhir_id is not None and value.literal is not None:
            tests.append(_written(value, columns))
        elif value.fhir_id is not None:
            by_type.setdefault(value.resource_type or target.only, []).append(value.fhir_id)
        elif value.identifier is not None:
            tests.append(sa.and_(_identified(value.identifier, columns), *of_type(target, columns)))
        else:
            # Only references that point nowhere here keep what was written; the index leads to them.
            tests.append(sa.and_(columns["target_fhir_id"].is_(None), columns["literal"] == value.literal))
    for resource_type, ids in by_type.items():
        test = one_of(columns["target_fhir_id"], ids)
        typed = [columns["target_type"] == resource_type] if resource_type else []
        tests.append(sa.and_(test, *typed))
    return sa.or_(*tests)


def _reached(value: Ref) -> sa.Select[Any]:
    """Return the ids of a resource and of those that are above or below it."""
    head, link, other = (alias(made.table, _FAR) for made in (Resource, Reference, Resource))
    reached = (
        sa.select(head.c.id)
        .where(head.c.resource_type == value.resource_type, head.c.fhir_id == value.fhir_id)
        .cte(recursive=True)
    )
    here, there = link.c.owner_id, link.c.target_id
    if not value.upward:
        here, there = there, here
    further = (
        sa.select(other.c.id)
        .select_from(reached.join(link, here == reached.c.id).join(other, other.c.id == there))
        .where(one_of(link.c.path, value.along), other.c.resource_type == value.resource_type)
        .where(other.c.deleted_at.is_(None))
    )
    return sa.select(reached.union(further).c.id)


def _written(value: Ref, columns: Columns) -> Test:
    return sa.and_(
        columns["target_fhir_id"] == value.fhir_id,
        columns["target_type"] == value.resource_type,
        columns["literal"] == value.literal,
    )


def of_type(target: Refers, columns: Columns) -> list[Test]:
    """Return that the target is of the one type that counts; what has no type told may be of any."""
    if target.only is None:
        return []
    return [sa.or_(columns["target_type"] == target.only, columns["target_type"].is_(None))]


def _identified(asked: Token, columns: Columns) -> Test:
    tests: list[Test] = []
    if asked.code is not None:
        tests.append(columns["ident_value"] == asked.code)
    if asked.system is not None:
        system = columns["ident_system"]
        tests.append(system == asked.system if asked.system else system.is_(None))
    return sa.and_(*tests)


def linked(target: Linked, values: Sequence[Ref], columns: Columns) -> Test:
    """Return that the foreign key is one of the ids."""
    return one_of(columns[target.column], [value.resource_id for value in values])
