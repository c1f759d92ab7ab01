"""Of what a query finds the first of each group, where a group has codes in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from storage.model.resource import Resource, ResourceVersion
from storage.model.shared import Coding, Concept
from storage.search import prepared
from storage.search.bind import bind
from storage.search.compile import joined_version, listed_statement, stored_columns
from storage.search.include import TooMany
from storage.search.query import Coded, Query
from storage.search.scope import alias, among
from storage.search.slots import AnyOf
from storage.session import Raw
from storage.versions import Stored

MOST = 100_000
"""So many resources may be looked through."""


def latest(connection: Raw, query: Query, group: Coded, most: int) -> list[Stored]:
    """Return up to ``most`` resources of each group, in the order of the query; ``group`` tells which codes
    count. Those that have a code in common are of one group, and so are those in between; one whose concept
    has no code is in a group with those of the same text. Groups come in the order of their first.

    Raises TooMany.
    """
    bound = bind(connection, query)
    ids = [row[0] for row in prepared.rows(connection, listed_statement, bound, MOST + 1)]
    if len(ids) > MOST:
        raise TooMany
    chosen = first_of_each(ids, _names(connection, ids, group), most)
    found = {row[0]: Stored(*row) for row in prepared.rows(connection, _stored, AnyOf(chosen))}
    return [found[each] for each in chosen if each in found]


def first_of_each(
    ids: Iterable[UUID], names: Iterable[tuple[UUID, tuple[str, str]]], most: int
) -> list[UUID]:
    """Return up to ``most`` ids of each group, in their order, group by group; ``names`` are what they have
    in common with others.
    """
    parents: dict[Any, Any] = {}

    def root(item: Any) -> Any:
        while parents.setdefault(item, item) != item:
            parents[item] = item = parents[parents[item]]
        return item

    for owner, name in names:
        parents[root(owner)] = root(name)
    groups: dict[Any, list[UUID]] = {}
    for each in ids:
        held = groups.setdefault(root(each), [])
        if len(held) < most:
            held.append(each)
    return [each for held in groups.values() for each in held]


def _names(connection: Raw, ids: Sequence[UUID], group: Coded) -> Iterable[tuple[UUID, tuple[str, str]]]:
    """Give the codes of each resource, and the texts of those that have none."""
    elements, owners = group.place.elements, AnyOf(ids)
    coded: set[UUID] = set()
    for owner, system, code in prepared.rows(connection, _codes, elements, owners):
        if code is not None:
            coded.add(owner)
            yield owner, (system or "", code)
    for owner, text in prepared.rows(connection, _texts, elements, owners):
        if owner not in coded and text:
            yield owner, ("text", text)


def _codes(elements: Sequence[str], owners: AnyOf) -> sa.Select[*tuple[Any, ...]]:
    table = alias(Coding.table).c
    statement = sa.select(table.owner_id, table.system, table.code)
    return statement.where(among(table.owner_id, owners), table.element.in_(elements))


def _texts(elements: Sequence[str], owners: AnyOf) -> sa.Select[*tuple[Any, ...]]:
    table = alias(Concept.table).c
    statement = sa.select(table.owner_id, table.text_norm)
    return statement.where(among(table.owner_id, owners), table.element.in_(elements))


def _stored(ids: AnyOf) -> sa.Select[*tuple[Any, ...]]:
    head, version = alias(Resource.table), alias(ResourceVersion.table)
    return (
        sa.select(*stored_columns(head.c, version.c))
        .select_from(head.join(version, joined_version(head.c, version.c)))
        .where(among(head.c.id, ids))
    )
