"""Of what a query finds the first of each group, where a group has codes in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from storage.model.resource import Resource, ResourceVersion
from storage.model.shared import Coding, Concept
from storage.search.bind import bind
from storage.search.compile import joined_version, listed_statement, stored_columns
from storage.search.include import TooMany
from storage.search.query import Coded, Query
from storage.search.scope import alias
from storage.versions import Stored

MOST = 100_000
"""So many resources may be looked through."""


def latest(connection: sa.Connection, query: Query, group: Coded, most: int) -> list[Stored]:
    """Return up to ``most`` resources of each group, in the order of the query; ``group`` tells which codes
    count. Those that have a code in common are of one group, and so are those in between; one whose concept
    has no code is in a group with those of the same text. Groups come in the order of their first.

    Raises TooMany.
    """
    bound = bind(connection, query)
    ids = [row[0] for row in connection.execute(listed_statement(bound, MOST + 1))]
    if len(ids) > MOST:
        raise TooMany
    chosen = first_of_each(ids, _names(connection, ids, group), most)
    found = {stored.resource_id: stored for stored in _stored(connection, chosen)}
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


def _names(
    connection: sa.Connection, ids: Sequence[UUID], group: Coded
) -> Iterable[tuple[UUID, tuple[str, str]]]:
    """Give the codes of each resource, and the texts of those that have none."""
    elements = group.place.elements
    coding, concept = alias(Coding.table), alias(Concept.table)
    codes = sa.select(coding.c.owner_id, coding.c.system, coding.c.code)
    coded: set[UUID] = set()
    statement = codes.where(_among(coding.c.owner_id, ids), coding.c.element.in_(elements))
    for owner, system, code in connection.execute(statement):
        if code is not None:
            coded.add(owner)
            yield owner, (system or "", code)
    texts = sa.select(concept.c.owner_id, concept.c.text_norm)
    for owner, text in connection.execute(
        texts.where(_among(concept.c.owner_id, ids), concept.c.element.in_(elements))
    ):
        if owner not in coded and text:
            yield owner, ("text", text)


def _among(column: Any, ids: Sequence[UUID]) -> sa.ColumnElement[bool]:
    return column == sa.any_(sa.bindparam(None, list(ids), sa.ARRAY(sa.Uuid())))


def _stored(connection: sa.Connection, ids: Sequence[UUID]) -> list[Stored]:
    head, version = alias(Resource.table), alias(ResourceVersion.table)
    statement = (
        sa.select(*stored_columns(head.c, version.c))
        .select_from(head.join(version, joined_version(head.c, version.c)))
        .where(_among(head.c.id, ids))
    )
    return [Stored(*row) for row in connection.execute(statement)]
