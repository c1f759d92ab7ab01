"""Search by reference: what it points to, how it is written, whom it identifies."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from storage.search.query import Linked, Ref, Refers, Token
from storage.search.scope import Columns, Test, one_of


def refers(target: Refers, values: Sequence[Ref], columns: Columns) -> Test:
    """Return that a reference is one of the values."""
    by_type: dict[str | None, list[str]] = {}
    tests: list[Test] = []
    for value in values:
        if value.fhir_id is not None and value.literal is not None:
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
