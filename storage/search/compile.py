"""A query as SQL: its conditions, the statement of a page, the statement that counts.

Values are bound parameters throughout, so that queries of the same shape are compiled once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from storage.model.people import AppUser
from storage.model.resource import ResourceVersion
from storage.model.shared import Reference
from storage.search.compartment import within
from storage.search.kinds import KINDS
from storage.search.present import present, where
from storage.search.query import (
    Asked,
    ByType,
    Chained,
    Combined,
    Compartment,
    Condition,
    Joint,
    Linked,
    Query,
    Ref,
    Target,
    Together,
)
from storage.search.scope import ONE, Scope, Test, alias, found, one_of
from storage.search.sort import after, order, sort_keys
from storage.search.together import together

if TYPE_CHECKING:
    from storage.model.columns import Table
    from storage.search.page import Cursor


def condition(scope: Scope, asked: Asked) -> Test:
    """Return a condition on the resources of a scope."""
    if isinstance(asked, Chained):
        return _chained(scope, asked)
    if isinstance(asked, Compartment):
        return within(scope, asked)
    if isinstance(asked, Combined):
        return _combined(scope, asked)
    if isinstance(asked, ByType):
        return sa.or_(*(_of_type(scope, *each) for each in asked.types))
    if asked.missing is not None:
        tests = [_present(scope, target, absent=asked.missing) for target in asked.targets]
        return sa.and_(*tests) if asked.missing else sa.or_(*tests)
    tests = [_matches(scope, target, asked) for target in asked.targets]
    return sa.and_(*tests) if asked.negated else sa.or_(*tests)


def _combined(scope: Scope, asked: Combined) -> Test:
    if asked.how == "any" and all(isinstance(part, Chained) and not part.backward for part in asked.parts):
        # Each way by itself: of alternatives that look at other rows an index could answer none.
        ways = [_owners(scope, part) for part in asked.parts if isinstance(part, Chained)]
        return scope.resource.c.id.in_(sa.union_all(*ways))
    tests = [condition(scope, part) for part in asked.parts]
    if asked.how == "all":
        return sa.and_(*tests)
    # What is not known is not so: a comparison with nothing must not make the rest unknown.
    return sa.or_(*tests) if asked.how == "any" else sa.or_(*tests).is_not(sa.true())


def _of_type(scope: Scope, resource_type: str, table: type[Table], asked: Asked) -> Test:
    """Return that the resource is of a type and what is asked of that type holds."""
    inner = Scope(resource_type, table, scope.depth)
    test = condition(inner, asked)
    if inner.joined:
        tied = sa.select(ONE).select_from(inner.typed).where(inner.typed.c.id == scope.resource.c.id, test)
        test = sa.exists(tied.correlate_except(inner.typed))
    return sa.and_(*inner.of_type(), test)


def _matches(scope: Scope, target: Target, asked: Condition) -> Test:
    if isinstance(target, Together):
        return together(scope, target, [value for value in asked.values if isinstance(value, Joint)])
    kind = KINDS[type(target)]
    return found(
        scope, target.place, lambda columns: kind(target, asked.values, columns), absent=asked.negated
    )


def _present(scope: Scope, target: Target, *, absent: bool) -> Test:
    return found(scope, where(target), lambda columns: present(target, columns), absent=absent)


def _owners(scope: Scope, asked: Chained) -> sa.Select[Any]:
    """Return the ids of the resources whose references lead to what is asked for."""
    owner, source, tests = _links(scope, asked)
    return sa.select(owner).select_from(source).where(*tests).correlate(None)


def _chained(scope: Scope, asked: Chained) -> Test:
    here, source, tests = _links(scope, asked)
    inner = sa.select(ONE).select_from(source).where(here == scope.resource.c.id, *tests)
    return sa.exists(inner.correlate(scope.resource))


def _links(scope: Scope, asked: Chained) -> tuple[Any, sa.FromClause, list[Test]]:
    """Return the id of the resource at this end of references, the rows from there to the other end, and that
    what is asked for holds there.
    """
    link = alias(Reference.table, scope.depth)
    # Of what a reference points to it tells the type itself, and the planner knows better how often.
    other = Scope(asked.resource_type if asked.backward else "", asked.table, scope.depth + 1)
    typed = [] if asked.backward else [link.c.target_type == asked.resource_type]
    test = condition(other, asked.condition)
    here, there = link.c.owner_id, link.c.target_id
    if asked.backward:
        here, there = there, here
    source = link.join(other.resource, other.resource.c.id == there)
    if other.joined:
        source = source.join(other.typed, other.typed.c.id == other.resource.c.id)
    return here, source, [one_of(link.c.path, asked.paths), *typed, other.live(), test]


def _tests(scope: Scope, query: Query) -> list[Test]:
    for asked in query.conditions:
        if isinstance(asked, Condition) and isinstance(asked.targets[0], Linked):
            ids = [value.resource_id for value in asked.values if isinstance(value, Ref)]
            scope.known[asked.targets[0].column] = [found for found in ids if found is not None]
    tests = [scope.live(), *(condition(scope, asked) for asked in query.conditions)]
    # Always so. The index of resources of all types says it too, which keeps other searches away from it:
    # the newest of one type may lie behind all others.
    return tests if query.resource_type else [*tests, scope.resource.c.version > sa.literal_column("0")]


def page_statement(query: Query, cursor: Cursor | None) -> sa.Select[*tuple[Any, ...]]:
    """Return the statement of one page: one row more than the page holds tells whether another page follows.

    Its columns are those of ``Stored``, then the values of the sort keys. Versions are fetched for the rows
    of the page alone.
    """
    scope = Scope(query.resource_type, query.table, types=query.types)
    conditions = _tests(scope, query)
    keys = sort_keys(scope, query.sort)
    backward = cursor is not None and cursor.backward
    if cursor is not None:
        conditions.append(after(keys, scope.resource.c.id, cursor))
    head = scope.resource.c
    named = {key.label: key.expression.label(key.label) for key in keys}
    page = (
        sa.select(head.id, head.resource_type, head.fhir_id, head.version, *named.values())
        .select_from(scope.rows())
        .where(*conditions)
        .order_by(*order(keys, named, head.id, backward=backward))
        .limit(query.count + 1)
        .subquery("page")
    )
    listed = {key.label: page.c[key.label] for key in keys}
    version = alias(ResourceVersion.table)
    return (
        sa.select(*stored_columns(page.c, version.c), *listed.values())
        .select_from(page.join(version, joined_version(page.c, version.c)))
        .order_by(*order(keys, listed, page.c.id, backward=backward))
    )


def stored_columns(head: Any, version: Any) -> list[sa.ColumnElement[Any]]:
    """Return the columns of a ``Stored``, in its order."""
    user = alias(AppUser.table)
    actor = sa.select(user.c.username).where(user.c.id == version.actor_id).correlate_except(user)
    first = [
        head.id,
        head.resource_type,
        head.fhir_id,
        version.version,
        version.at,
        version.op,
        version.origin,
    ]
    return [*first, actor.scalar_subquery(), version.message_id, version.content]


def joined_version(head: Any, version: Any) -> Test:
    """Return that a version is the current one of a resource."""
    return sa.and_(version.resource_id == head.id, version.version == head.version)


def count_statement(query: Query) -> sa.Select[Any]:
    """Return the statement that counts all that a query finds."""
    scope = Scope(query.resource_type, query.table, types=query.types)
    conditions = _tests(scope, query)
    return sa.select(sa.func.count()).select_from(scope.rows()).where(*conditions)


def find_statement(query: Query) -> sa.Select[Any]:
    """Return the statement of all that a query finds, unordered: what the planner is asked to estimate."""
    scope = Scope(query.resource_type, query.table, types=query.types)
    conditions = _tests(scope, query)
    return sa.select(scope.resource.c.id).select_from(scope.rows()).where(*conditions)


def listed_statement(query: Query, most: int) -> sa.Select[Any]:
    """Return the statement of the ids of all that a query finds, ``most`` at most, in its order."""
    scope = Scope(query.resource_type, query.table, types=query.types)
    conditions = _tests(scope, query)
    keys = sort_keys(scope, query.sort)
    named = {key.label: key.expression.label(key.label) for key in keys}
    head = scope.resource.c
    return (
        sa.select(head.id, *named.values())
        .select_from(scope.rows())
        .where(*conditions)
        .order_by(*order(keys, named, head.id, backward=False))
        .limit(most)
    )
