"""What is measured on a running gateway: each scenario by name, and the requests that it sends."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from tests.benchmarks.requests import FAMILIES, KEPT, SYSTEM, http, order, orm, oru, patient


def _nothing(_: str) -> list[bytes]:
    return []


@dataclass(frozen=True)
class Scenario:
    """Requests by place in the sequence; `once` where a request must not be sent twice, then `most` of them.

    The requests of `before` make what they need.
    """

    name: str
    request: Callable[[str, int], bytes]
    once: bool = False
    protocol: Literal["http", "mllp"] = "http"
    writes: bool = False
    most: int = 100_000
    before: Callable[[str], list[bytes]] = _nothing


def kept() -> list[bytes]:
    """The requests that put there what the scenarios read and change."""
    made: list[bytes] = []
    for n in range(KEPT):
        made.append(http("PUT", f"/fhir/Patient/kept-{n}", patient(f"K{n}", n, f"kept-{n}")))
        made.append(http("PUT", f"/fhir/Patient/same-{n}", patient(f"S{n}", n, f"same-{n}")))
        made.append(http("PUT", f"/fhir/ServiceRequest/kept-{n}", order(f"K{n}", n, f"kept-{n}")))
    return made


def _get(target: Callable[[int], str]) -> Callable[[str, int], bytes]:
    return lambda _, n: http("GET", target(n))


def _changed(run: str, n: int) -> bytes:
    return http(
        "PUT",
        f"/fhir/Patient/kept-{n % KEPT}",
        patient(f"K{n % KEPT}", n % KEPT, f"kept-{n % KEPT}", f"{run}{n}"),
    )


def _unchanged(_: str, n: int) -> bytes:
    return http(
        "PUT", f"/fhir/Patient/same-{n % KEPT}", patient(f"S{n % KEPT}", n % KEPT, f"same-{n % KEPT}")
    )


SCENARIOS = (
    Scenario("read", _get(lambda n: f"/fhir/Patient/kept-{n % KEPT}")),
    Scenario("vread", _get(lambda n: f"/fhir/Patient/kept-{n % KEPT}/_history/1")),
    Scenario(
        "search: token identifier", _get(lambda n: f"/fhir/Patient?identifier={quote(SYSTEM)}%7CK{n % KEPT}")
    ),
    Scenario(
        "search: string prefix", _get(lambda n: f"/fhir/Patient?family={FAMILIES[n % 8][:4]}&_count=10")
    ),
    Scenario(
        "search: date range",
        _get(
            lambda n: (
                f"/fhir/Patient?birthdate=ge{1930 + n % 79}-01-01&birthdate=lt{1931 + n % 79}-01-01&_count=10"
            )
        ),
    ),
    Scenario(
        "search: patient + category",
        _get(lambda n: f"/fhir/ServiceRequest?patient=kept-{n % KEPT}&category=363679005&_count=10"),
    ),
    Scenario(
        "search: _include",
        _get(
            lambda n: (
                f"/fhir/ServiceRequest?patient=kept-{n % KEPT}&_include=ServiceRequest:subject&_count=10"
            )
        ),
    ),
    Scenario("native list", _get(lambda _: "/api/procedures?limit=20")),
    Scenario("no-op update", _unchanged, writes=True),
    Scenario("update", _changed, once=True, writes=True),
    Scenario(
        "create Patient",
        lambda run, n: http("POST", "/fhir/Patient", patient(f"{run}{n}", n)),
        once=True,
        writes=True,
    ),
    Scenario(
        "create ServiceRequest",
        lambda run, n: http("POST", "/fhir/ServiceRequest", order(f"{run}{n}", n)),
        once=True,
        writes=True,
    ),
)
MESSAGES = (
    Scenario("ORM^O01", lambda run, n: orm(f"{run}{n}", n), once=True, protocol="mllp", writes=True),
    Scenario("ORU^R01, 20 OBX", lambda run, n: oru(f"{run}{n}", n), once=True, protocol="mllp", writes=True),
)
