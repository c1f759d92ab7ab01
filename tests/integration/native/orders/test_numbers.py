"""Order and accession numbers under parallel writers: none twice, none left out, in the order of commits.

SUTURE_ORDER_SECONDS says how long they write; the rate is printed (`pytest -s`).
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

from tests.integration.native.orders.conftest import IMAGING, LAB, PROCEDURE, SITE, Desk, visit

SECONDS = float(os.environ.get("SUTURE_ORDER_SECONDS", "2"))
WRITERS = 32
BODIES = (IMAGING, LAB, PROCEDURE)


class Made(NamedTuple):
    """An order: when it was asked for and answered, and its numbers."""

    asked: float
    answered: float
    order: int
    accession: int


def last(number: str) -> int:
    return int(number.rpartition("-")[2])


def native(desk: Desk, place: int) -> tuple[str, str]:
    made = desk.made(BODIES[place % 3], patient_id=f"p{place}", visit_id=f"v{place}")
    return made["order_number"], made["accession_number"]


def fhir(desk: Desk, place: int) -> tuple[str, str]:
    subject = {"reference": f"Patient/p{place}"}
    made = desk.fhir.made("ServiceRequest", status="active", intent="order", subject=subject)
    found: dict[str, Any] = {item["system"]: item["value"] for item in made["identifier"]}
    return found[f"{SITE}/sid/order-number"], found[f"{SITE}/sid/accession-number"]


def write(desk: Desk, place: int, until: float) -> list[Made]:
    made: list[Made] = []
    while (asked := time.monotonic()) < until:
        # Every eighth writer comes through the other door: both draw from one counter.
        order, accession = (fhir if place % 8 == 0 else native)(desk, place)
        made.append(Made(asked, time.monotonic(), last(order), last(accession)))
    return made


def test_parallel_writers_never_share_a_number(desk: Desk) -> None:
    for place in range(WRITERS):
        desk.fhir.made("Patient", id=f"p{place}")
        visit(desk.fhir, f"v{place}", f"p{place}")
    start = time.monotonic()
    with ThreadPoolExecutor(WRITERS) as pool:
        writing = [pool.submit(write, desk, place, start + SECONDS) for place in range(WRITERS)]
        made = [one for writer in writing for one in writer.result()]
    spent = time.monotonic() - start
    print(f"{len(made)} orders by {WRITERS} writers in {spent:.1f} s: {len(made) / spent:.0f}/s")
    assert len(made) >= WRITERS
    for numbers in ([one.order for one in made], [one.accession for one in made]):
        assert sorted(numbers) == list(range(1, len(made) + 1))
    in_order_of_commit(made)


def in_order_of_commit(made: list[Made]) -> None:
    """See that whatever was answered before another was asked for has a lower number than that."""
    by_number = sorted(made, key=lambda one: one.order)
    # The latest moment of asking so far: nobody behind may have been answered before it.
    latest = 0.0
    for one in by_number:
        assert one.answered >= latest, one
        latest = max(latest, one.asked)
    assert all(one.accession < other.accession for one, other in pairwise(by_number))
