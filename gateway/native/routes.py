"""The routes of the native door, by the prefix that each of the hospital's applications uses."""

from __future__ import annotations

from litestar import Router

from gateway.native import (
    acts,
    board,
    bulk,
    destinations,
    diagnoses,
    documents,
    encounters,
    looked,
    messages,
    patients,
    peers,
    procedures,
    research,
    research_export,
    research_members,
    visits,
)
from gateway.native.orders.routes import ORDERS

NATIVE = Router(
    path="/api",
    before_request=looked.begin,
    route_handlers=[
        *procedures.ROUTES,
        *board.ROUTES,
        Router(path="/v1/patients", route_handlers=list(patients.ROUTES)),
        Router(path="/v1/patients", route_handlers=[*visits.ROUTES, *documents.ROUTES]),
        Router(path="/v1/patients/bulk", route_handlers=list(bulk.ROUTES)),
        Router(path="/v1/encounters", route_handlers=list(encounters.ROUTES)),
        Router(path="/v1/diagnoses", route_handlers=list(diagnoses.ROUTES)),
        Router(path="/v1/procedures", route_handlers=list(acts.ROUTES)),
        Router(path="/v1/hl7/peers", route_handlers=list(peers.ROUTES)),
        Router(path="/v1/hl7/destinations", route_handlers=list(destinations.ROUTES)),
        Router(path="/v1/hl7/messages", route_handlers=list(messages.ROUTES)),
        ORDERS,
        Router(
            path="/v1/rc",
            route_handlers=[*research.ROUTES, *research_members.ROUTES, *research_export.ROUTES],
        ),
    ],
)
