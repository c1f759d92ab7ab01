"""Resources that hang together with one: those that refer to it by certain paths, and what all of these refer
to in turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from storage.model.resource import Resource
from storage.model.shared import Reference
from storage.search.query import Compartment, Paths
from storage.search.scope import ONE, Scope, Test, alias

# Names far from those of scopes: the subqueries may stand within any of them.
_FAR = 90


def within(scope: Scope, asked: Compartment) -> Test:
    """Return that the resource is the one that a compartment is of, or in it, or, where that is asked for,
    what any of them refers to.
    """
    members = sa.union(_focus(asked), _members(asked))
    if asked.apart_from is None:
        return scope.resource.c.id.in_(members)
    return scope.resource.c.id.in_(sa.select(_closed(asked, members, asked.apart_from).c.id))


def _focus(asked: Compartment) -> sa.Select[Any]:
    head = alias(Resource.table, _FAR)
    return sa.select(head.c.id).where(
        head.c.resource_type == asked.resource_type, head.c.fhir_id == asked.fhir_id
    )


def _members(asked: Compartment) -> sa.Select[Any]:
    link, owner = alias(Reference.table, _FAR + 1), alias(Resource.table, _FAR + 1)
    return (
        sa.select(link.c.owner_id)
        .select_from(link.join(owner, owner.c.id == link.c.owner_id))
        .where(
            _among(link.c.path, sorted({path for _, paths in asked.paths for path in paths})),
            link.c.target_type == asked.resource_type,
            link.c.target_fhir_id == asked.fhir_id,
            owner.c.deleted_at.is_(None),
            _at_paths(owner.c.resource_type, link.c.path, asked.paths),
        )
    )


def _at_paths(resource_type: Any, path: Any, listed: Sequence[Paths]) -> Test:
    """Return that a path is one of those of its type."""
    # As texts, since the planner takes long over many pairs.
    pairs = [f"{name} {each}" for name, paths in listed for each in paths]
    return _among(resource_type + " " + path, pairs)


def _among(column: Any, texts: Sequence[str]) -> Test:
    return column == sa.any_(sa.bindparam(None, list(texts), sa.ARRAY(sa.Text())))


def _closed(asked: Compartment, members: Any, persons: Compartment) -> Any:
    """Return the ids of members and of what they refer to, and so on; not of what is another person's."""
    listed = members.subquery("members")
    reached = sa.select(listed.c.id).cte("reached", recursive=True)
    link, target = alias(Reference.table, _FAR + 2), alias(Resource.table, _FAR + 2)
    source = reached.join(link, link.c.owner_id == reached.c.id).join(target, target.c.id == link.c.target_id)
    further = (
        sa.select(target.c.id)
        .select_from(source)
        .where(target.c.deleted_at.is_(None), ~_anothers(target.c, asked, persons))
    )
    return reached.union(further)


def _anothers(head: Any, asked: Compartment, persons: Compartment) -> Test:
    """Return that a resource is another person, or is in the compartment of another."""
    link = alias(Reference.table, _FAR + 3)
    of_another = (
        sa.select(ONE)
        .select_from(link)
        .where(
            link.c.owner_id == head.id,
            link.c.target_type == persons.resource_type,
            link.c.target_fhir_id.not_in(_persons(asked, persons)),
            _at_paths(head.resource_type, link.c.path, persons.paths),
        )
    )
    is_another = sa.and_(
        head.resource_type == persons.resource_type, head.fhir_id.not_in(_persons(asked, persons))
    )
    return sa.or_(is_another, sa.exists(of_another.correlate_except(link)))


def _persons(asked: Compartment, persons: Compartment) -> Any:
    """Return the ids of the persons whom a compartment is about: the one that it is of, or those that the
    resource that it is of belongs to.
    """
    if asked.resource_type == persons.resource_type:
        return [asked.fhir_id]
    link, head = alias(Reference.table, _FAR + 4), alias(Resource.table, _FAR + 4)
    return (
        sa.select(sa.func.coalesce(link.c.target_fhir_id, ""))
        .select_from(head.join(link, link.c.owner_id == head.c.id))
        .where(
            head.c.resource_type == asked.resource_type,
            head.c.fhir_id == asked.fhir_id,
            link.c.target_type == persons.resource_type,
            _at_paths(head.c.resource_type, link.c.path, persons.paths),
        )
        .correlate(None)
    )
