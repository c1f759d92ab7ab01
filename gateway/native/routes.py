"""The routes of the native door, by the prefix that each of the hospital's applications uses."""

from __future__ import annotations

from litestar import Router

from gateway.native import procedures, research, words

NATIVE = Router(
    path="/api",
    before_request=words.negotiate,
    route_handlers=[
        procedures.list_procedures,
        procedures.get_procedure,
        procedures.change_procedure,
        Router(path="/v1/rc", route_handlers=list(research.ROUTES)),
    ],
)
