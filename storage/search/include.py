"""What comes along with a page: one statement for each include."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from storage.model.resource import Resource, ResourceVersion
from storage.model.shared import Reference
from storage.search import prepared
from storage.search.compile import joined_version, stored_columns
from storage.search.scope import ONE, Test, alias, among, one_of
from storage.search.slots import AnyOf
from storage.session import Raw
from storage.versions import Stored

if TYPE_CHECKING:
    from storage.search.query import Include

MOST = 10_000
"""So many resources may come along with one page."""
STEPS = 100
"""So many times what came along may bring more."""


class TooMany(Exception):
    """More would come along than one answer can hold."""


def statement(include: Include, ids: AnyOf) -> sa.Select[tuple[Any, ...]]:
    """Return the statement of what one include brings along for resources that were found."""
    head, version, link = (alias(made.table) for made in (Resource, ResourceVersion, Reference))
    here, there = link.c.owner_id, link.c.target_id
    if include.reverse:
        here, there = there, here
    tests: list[Test] = [there == head.c.id, among(here, ids)]
    if include.paths:
        tests.append(one_of(link.c.path, include.paths))
    if include.reverse and include.target:
        tests.append(link.c.target_type == include.target)
    pointing = sa.select(ONE).select_from(link).where(*tests).correlate_except(link)
    wanted = include.source if include.reverse else include.target
    typed = [head.c.resource_type == wanted] if wanted else []
    return (
        sa.select(*stored_columns(head.c, version.c))
        .select_from(head.join(version, joined_version(head.c, version.c)))
        .where(head.c.deleted_at.is_(None), *typed, sa.exists(pointing))
        .order_by(head.c.resource_type, head.c.id)
        .limit(MOST + 1)
    )


def bring(connection: Raw, includes: Sequence[Include], matches: Sequence[Stored]) -> list[Stored]:
    """Return what includes bring along, each resource once, none that is a match itself. Raises TooMany."""
    seen = {match.resource_id for match in matches}
    brought: list[Stored] = []
    fresh: Sequence[Stored] = matches
    asked: Sequence[Include] = includes
    steps = 0
    while fresh and asked:
        steps += 1
        found: list[Stored] = []
        for include in asked:
            for stored in _from(connection, include, fresh):
                if stored.resource_id not in seen:
                    seen.add(stored.resource_id)
                    found.append(stored)
        brought += found
        if len(brought) > MOST or steps > STEPS:
            raise TooMany
        fresh, asked = found, [include for include in includes if include.iterate]
    return brought


def _from(connection: Raw, include: Include, fresh: Sequence[Stored]) -> list[Stored]:
    """Return what one include finds from resources: a forward one starts at those of its source type
    alone. Raises TooMany.
    """
    anywhere = include.reverse or not include.source
    ids = [s.resource_id for s in fresh if anywhere or s.resource_type == include.source]
    if not ids:
        return []
    found = [Stored(*row) for row in prepared.rows(connection, statement, include, AnyOf(ids))]
    if len(found) > MOST:
        # Some of them may be known already: without this the rest would be left out unseen.
        raise TooMany
    return found
