"""Looks up the resources that a search names, so that their ids can be compared with foreign keys.

A foreign key leads to the rows through an index of the typed table; a reference whose target is not here
has none, and is then looked for among the references, where it stands as it was written.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import UUID

import sqlalchemy as sa

from storage.model.resource import Resource
from storage.search import prepared
from storage.search.query import Asked, Condition, Linked, Place, Query, Ref, Refers
from storage.search.scope import among, one_of
from storage.search.slots import AnyOf
from storage.session import Raw

if TYPE_CHECKING:
    from storage.model.columns import Table

Name = tuple[str, str]


def bind(connection: Raw, query: Query) -> Query:
    """Return the query with ids in place of names wherever an indexed foreign key can answer."""
    bindable = {table: names for table, names in _named(query).items() if names}
    if not bindable:
        return query
    known: dict[Name, UUID] = {}
    for table, names in bindable.items():
        types = tuple(sorted({name[0] for name in names}))
        ids = AnyOf(sorted({name[1] for name in names}))
        found = prepared.rows(connection, _look_up, table, types, ids)
        known |= {(row[0], row[1]): row[2] for row in found}
    return replace(query, conditions=tuple(_bound(query, asked, known) for asked in query.conditions))


def _linking(query: Query, asked: Asked) -> Refers | None:
    """Return the target of a condition that a foreign key can answer."""
    if not isinstance(asked, Condition) or asked.missing is not None or len(asked.targets) != 1:
        return None
    target = asked.targets[0]
    if not isinstance(target, Refers) or target.link is None or target.link_table is None:
        return None
    return target if _indexed(query.table, target.link) else None


def _indexed(table: type[Table], column: str) -> bool:
    return any(next(iter(index.columns)).name == column for index in table.table.indexes)


def _names(target: Refers, asked: Condition) -> list[Name]:
    """Return the type and id of all values, nothing if one of them has not both, names a version, or stands
    for more than itself.
    """
    values = [value for value in asked.values if isinstance(value, Ref)]
    if any(value.literal is not None or value.along for value in values):
        return []
    names = [(value.resource_type or target.only or "", value.fhir_id or "") for value in values]
    return names if all(resource_type and fhir_id for resource_type, fhir_id in names) else []


def _named(query: Query) -> dict[type[Table], list[Name]]:
    found: dict[type[Table], list[Name]] = {}
    for asked in query.conditions:
        target = _linking(query, asked)
        if target is not None and target.link_table is not None and isinstance(asked, Condition):
            found.setdefault(target.link_table, []).extend(_names(target, asked))
    return found


def _look_up(table: type[Table], types: Sequence[str], ids: AnyOf) -> sa.Select[*tuple[Any, ...]]:
    head = Resource.table
    return (
        sa.select(head.c.resource_type, head.c.fhir_id, head.c.id)
        .select_from(head.join(table.table, table.table.c.id == head.c.id))
        .where(one_of(head.c.resource_type, types), among(head.c.fhir_id, ids))
    )


def _bound(query: Query, asked: Asked, known: dict[Name, UUID]) -> Asked:
    target = _linking(query, asked)
    if target is None or target.link is None or not isinstance(asked, Condition):
        return asked
    names = _names(target, asked)
    if not names or any(name not in known for name in names):
        return asked
    values = tuple(Ref(*name, resource_id=known[name]) for name in names)
    return replace(asked, targets=(Linked(Place(query.table), target.link),), values=values)
