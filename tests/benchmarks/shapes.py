"""What the search benchmark measures: one scenario for each interaction and shape of search, and the aims."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from tests.benchmarks.population import DIAGNOSES, LOINC, MONTHS, SNOMED, UCUM, put, transaction
from tests.benchmarks.requests import FAMILIES, SYSTEM, http, patient
from tests.benchmarks.scenarios import Scenario

DELETED = 300
"""So many resources are made for each series of deletions."""
BUNDLE = "transaction bundle of 150"


@dataclass(frozen=True)
class Aim:
    """At most so many ms: of the gateway's processor for a request, or of the 99th percentile."""

    of: Literal["CPU", "p99"]
    most: float
    clients: tuple[int, ...] = (1, 10)


SEARCH_AIM = Aim("p99", 15, (10,))
AIMS = {"read": Aim("CPU", 0.35), "create": Aim("CPU", 1.5)}
PER_CORE = 600
"""The aim of resources in bundles for each second of a processor."""


def aim(name: str) -> Aim | None:
    """What a scenario should reach."""
    return SEARCH_AIM if name.startswith("search") else AIMS.get(name)


def scenarios(size: int) -> list[Scenario]:
    """The scenarios on so many patients."""
    return [*_interactions(size), *_narrow(size), *_broad()]


def _interactions(size: int) -> list[Scenario]:
    def change(run: str, n: int) -> bytes:
        place = n % size
        return http("PUT", f"/fhir/Patient/p-{place}", patient(f"P{place}", place, f"p-{place}", f"{run}{n}"))

    return [
        Scenario("read", lambda _, n: http("GET", f"/fhir/Patient/p-{n % size}")),
        Scenario("create", lambda run, n: http("POST", "/fhir/Patient", patient(f"{run}{n}", n)), once=True),
        Scenario("update", change, once=True),
        Scenario(
            "delete",
            lambda run, n: http("DELETE", f"/fhir/Patient/{run}{n}"),
            once=True,
            most=DELETED,
            before=_to_delete,
        ),
    ]


def _to_delete(run: str) -> list[bytes]:
    return [transaction([put(patient(f"{run}{n}", n, f"{run}{n}")) for n in range(DELETED)])]


def _search(name: str, target: Callable[[int], str]) -> Scenario:
    return Scenario(f"search: {name}", lambda _, n: http("GET", f"/fhir/{target(n)}&_count=10"))


def _narrow(size: int) -> list[Scenario]:
    """Searches that find what belongs to one patient."""
    return [
        _search("token, identifier", lambda n: f"Patient?identifier={quote(SYSTEM)}%7CP{n * 7 % size}"),
        _search("reference", lambda n: f"Observation?patient=p-{n * 7 % size}"),
        _search("chain", lambda n: f"Observation?patient.identifier={quote(SYSTEM)}%7CP{n * 7 % size}"),
        _search("_has", lambda n: f"Patient?_has:Encounter:patient:identifier=V{n * 7 % size}"),
        _search(
            "_include", lambda n: f"ServiceRequest?patient=p-{n * 7 % size}&_include=ServiceRequest:subject"
        ),
    ]


def _broad() -> list[Scenario]:
    """Searches that find many times what a page holds."""
    gram = quote(f"{UCUM}|g/dL", safe="")
    return [
        _search("string prefix", lambda n: f"Patient?family={FAMILIES[n % len(FAMILIES)][:4]}"),
        _search("token, common code", lambda _: f"Observation?code={quote(LOINC)}%7C718-7"),
        _search("date range", lambda n: f"Observation?date=ge{_month(n)}-05&date=lt{_month(n)}-20"),
        _search("quantity", lambda n: f"Observation?value-quantity=gt{8 + n % 90 / 10:.1f}%7C{gram}"),
        _search(
            "composite",
            lambda n: (
                f"Observation?code-value-quantity={quote(LOINC)}%7C718-7"
                f"%24lt{8.5 + n % 90 / 10:.1f}%7C{quote(UCUM)}%7Cg%2FdL"
            ),
        ),
        _search("chain, many", lambda n: f"Observation?patient.family={FAMILIES[n % len(FAMILIES)][:4]}"),
        _search(
            "_has, many",
            lambda n: (
                f"Patient?_has:Condition:patient:code={quote(SNOMED)}%7C{DIAGNOSES[n % len(DIAGNOSES)]}"
            ),
        ),
        _search(
            "_include, a page",
            lambda n: f"Encounter?date=ge{_month(n)}-05&date=lt{_month(n)}-20&_include=Encounter:subject",
        ),
    ]


def _month(n: int) -> str:
    month = n % MONTHS
    return f"{2020 + month // 12}-{1 + month % 12:02}"
