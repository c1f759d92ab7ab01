"""Only known users, where a setting asks for them: who a request is from, before anything else is looked at.

Whatever signs users on stands before the gateway and names them in the header X-User.
https://hl7.org/fhir/R4/security.html#authentication
"""

from __future__ import annotations

import asyncio
from typing import Any

from litestar.connection import ASGIConnection
from litestar.handlers import BaseRouteHandler

from gateway import errors
from gateway.records import Caller
from storage import users
from storage.session import Store
from storage.users import Account

HEADER = "X-User"
OPEN = frozenset({"/fhir/metadata", "/api/v1/health"})
"""What tells nothing of anybody: capabilities and health. All else but FHIR, native and pages is open too."""


async def known_users(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Let known users pass. Raises Unauthenticated without the header, Forbidden for an account that there is
    not, or that is not active.
    """
    path = connection.scope["path"]
    if path in OPEN or not path.startswith(("/fhir", "/api", "/pages")):
        return
    name = connection.headers.get(HEADER)
    account = await asyncio.to_thread(_find, connection.app.state.store, name) if name else None
    if account is not None and account.is_active:
        return
    text = f"Only known users are served: {HEADER} must name an account that is active."
    problem = (errors.Forbidden if name else errors.Unauthenticated)(text, expression=HEADER)
    client, door = connection.client, "fhir" if path.startswith("/fhir") else "rest"
    caller = Caller(door, name, address=client.host if client else None)
    connection.app.state.records.looks.note(caller, None, status=problem.status)
    raise problem


def _find(store: Store, name: str) -> Account | None:
    with store.connection() as connection:
        return users.find(connection, name)
