"""The routes of orders."""

from __future__ import annotations

from litestar import Router

from gateway.native.orders import change, create, lists, read, report

ORDERS = Router(
    path="/v1/orders",
    route_handlers=[*create.ROUTES, *lists.ROUTES, *read.ROUTES, *change.ROUTES, *report.ROUTES],
)
