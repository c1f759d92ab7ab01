"""Follow-ups, outcome scores, implants and complications of a research case."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar import Response, delete, get, patch, post
from litestar.params import FromPath

from gateway import errors
from gateway.native import case_members
from gateway.native.case_forms import (
    ADDED,
    MEMBER_CHANGE,
    MEMBER_GIVEN,
    MEMBER_LISTS,
    MEMBER_NEW,
    MEMBER_PATHS,
    PATHS,
)
from gateway.native.research import kind_named
from gateway.native.words import Ask, answer, caller_of, form, records_of
from gateway.openapi.call import call
from storage.model.research import CaseKind

Values = dict[str, Any]
WORDS = {"kind": PATHS, "members": tuple(MEMBER_PATHS)}
ONE = "/{kind:str}/{case_id:str}/{members:str}/{member_id:str}"


@post(
    "/{kind:str}/{case_id:str}/{members:str}",
    status_code=201,
    opt=call(body=MEMBER_NEW, answer=MEMBER_GIVEN, status=201, examples=ADDED, words=WORDS),
)
async def add_member(
    request: Ask, kind: FromPath[str], case_id: FromPath[str], members: FromPath[str]
) -> Response[bytes]:
    """Add a follow-up, score, implant or complication to a case; patient and encounter are the case's."""
    values = form(await request.body(), Values)
    told = (kind_named(kind), case_id, member_named(members), values)
    return answer(
        await asyncio.to_thread(case_members.add, records_of(request), caller_of(request), *told), 201
    )


@get("/{kind:str}/{case_id:str}/{members:str}", opt=call(answer=MEMBER_LISTS, words=WORDS))
async def list_members(
    request: Ask, kind: FromPath[str], case_id: FromPath[str], members: FromPath[str]
) -> Response[bytes]:
    """Return the members of a case, of one kind, in the order in which they were added."""
    told = (kind_named(kind), case_id, member_named(members))
    return answer(
        await asyncio.to_thread(case_members.all_of, records_of(request), caller_of(request), *told)
    )


@get(ONE, opt=call(answer=MEMBER_GIVEN, words=WORDS))
async def get_member(
    request: Ask,
    kind: FromPath[str],
    case_id: FromPath[str],
    members: FromPath[str],
    member_id: FromPath[str],
) -> Response[bytes]:
    """Return a member of a case."""
    told = (kind_named(kind), case_id, member_named(members), member_id)
    return answer(await asyncio.to_thread(case_members.get, records_of(request), caller_of(request), *told))


@patch(ONE, opt=call(body=MEMBER_CHANGE, answer=MEMBER_GIVEN, words=WORDS))
async def change_member(
    request: Ask,
    kind: FromPath[str],
    case_id: FromPath[str],
    members: FromPath[str],
    member_id: FromPath[str],
) -> Response[bytes]:
    """Change the columns of a member that are named; null clears."""
    values = form(await request.body(), Values)
    told = (kind_named(kind), case_id, member_named(members), member_id, values)
    return answer(
        await asyncio.to_thread(case_members.change, records_of(request), caller_of(request), *told)
    )


@delete(ONE, status_code=204, opt=call(status=204, words=WORDS))
async def delete_member(
    request: Ask,
    kind: FromPath[str],
    case_id: FromPath[str],
    members: FromPath[str],
    member_id: FromPath[str],
) -> Response[None]:
    """Delete a member; the case names it no more."""
    told = (kind_named(kind), case_id, member_named(members), member_id)
    await asyncio.to_thread(case_members.delete, records_of(request), caller_of(request), *told)
    return Response(None, status_code=204)


def member_named(path: str) -> CaseKind:
    """Return the kind of member of a path. Raises NotFound, naming the kinds that there are."""
    found = MEMBER_PATHS.get(path)
    if found is None:
        listed = ", ".join(MEMBER_PATHS)
        raise errors.NotFound(f"A case has no {path}; it has: {listed}.", expression="members")
    return found


ROUTES = (add_member, list_members, get_member, change_member, delete_member)
