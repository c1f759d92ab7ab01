"""Searches as SQL, kept as text beside this file: https://hl7.org/fhir/R4/search.html.

After a change that is meant, run with ``SUTURE_SNAPSHOTS=write`` and read the difference.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.dialects import postgresql

from gateway.fhir.params import parse
from gateway.fhir.query_string import pairs
from gateway.fhir.search_values import Context
from mappings.resources import REGISTRY
from storage.search.compile import page_statement
from storage.search.include import statement
from storage.search.slots import AnyOf, Slot

KEPT = Path(__file__).with_suffix(".txt")
CONTEXT = Context(datetime(2026, 1, 1, tzinfo=UTC), "http://here/fhir")
SEARCHES = [
    "Patient",
    "Patient?family=smi&given:contains=an",
    "Patient?name:exact=Smith",
    "Patient?identifier=urn:x|1,2",
    "Patient?identifier:of-type=urn:t|MR|1",
    "Patient?gender=male&birthdate=ge1980",
    "Patient?gender:not=male",
    "Patient?deceased=true&active:missing=true",
    "Patient?_id=a,b&_tag=x&_lastUpdated=gt2020",
    "Patient?_sort=-birthdate,family",
    "Observation?patient=1&code=http://loinc.org|1-8&date=2020",
    "Observation?code:text=gluc",
    "Observation?value-quantity=gt5.4|http://unitsofmeasure.org|mg",
    "Observation?subject:identifier=urn:x|1&performer:missing=false",
    "Observation?patient.family=smith",
    "Patient?_has:Observation:patient:code=1-8",
    "ServiceRequest?status=active",
    "Procedure?barrier=consent",
    "Encounter?location-period=2020-01-01",
    "Observation?code-value-quantity=http://loinc.org|1-8$gt5||mg",
    "Observation?component-code-value-concept=1-8$a,2-9$b",
    "Observation?patient=1&combo-code-value-quantity=1-8$lt3",
    "DocumentReference?relationship=DocumentReference/1$replaces",
]


_LATER: Any = Slot(0)
IDS = AnyOf(_LATER)
"""As a kept statement has them: values come later."""


def sql(search: str) -> str:
    """The statement of a page; of searches with parameters what selects and sorts the rows."""
    type_name, _, text = search.partition("?")
    query = parse(REGISTRY[type_name], pairs(text), CONTEXT).query
    made = str(page_statement(query, None).compile(dialect=postgresql.dialect()))
    return _lines(made[made.index("(SELECT resource_1") + 1 : made.rindex("LIMIT")] if text else made)


def _lines(statement: str) -> str:
    return re.sub(r" (FROM|JOIN|WHERE|AND|OR|ORDER BY|LIMIT) ", r"\n  \1 ", " ".join(statement.split()))


def included(search: str) -> str:
    type_name, _, text = search.partition("?")
    (include,) = parse(REGISTRY[type_name], pairs(text), CONTEXT).query.includes
    return _lines(str(statement(include, IDS).compile(dialect=postgresql.dialect())))


def snapshots() -> dict[str, str]:
    made = {search: sql(search) for search in SEARCHES}
    for search in ("Observation?_include=Observation:subject", "Patient?_revinclude=Observation:patient"):
        made[search] = included(search)
    return made


def kept() -> dict[str, str]:
    blocks = KEPT.read_text().split("\n\n") if KEPT.exists() else []
    return dict(block.strip().split("\n", 1) for block in blocks if block.strip())


@pytest.fixture(scope="module", autouse=True)
def _written_if_asked() -> None:
    if os.environ.get("SUTURE_SNAPSHOTS") == "write":
        blocks = [f"{search}\n{text}" for search, text in snapshots().items()]
        KEPT.write_text("\n\n".join(blocks) + "\n")


@pytest.mark.parametrize("search", list(snapshots()))
def test_a_search_compiles_to_the_sql_that_is_kept(search: str) -> None:
    assert snapshots()[search] == kept()[search]


def test_nothing_is_kept_of_searches_that_are_gone() -> None:
    assert kept().keys() == snapshots().keys()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Patient?family=smith", "Patient?family=x"),
        ("Patient?birthdate=ge1980&gender=male", "Patient?birthdate=ge1990-01-01&gender=female"),
        ("Patient?_id=a,b", "Patient?_id=c,d,e"),
        ("Observation?code=urn:x|1&patient=1", "Observation?code=urn:y|2&patient=2"),
        ("Observation?value-quantity=lt5", "Observation?value-quantity=lt6.50"),
        ("Observation?combo-code-value-quantity=1$lt5", "Observation?combo-code-value-quantity=2$lt6"),
        ("Patient?_sort=family&_count=3", "Patient?_sort=family&_count=9"),
    ],
)
def test_searches_of_the_same_shape_are_compiled_once(one: str, other: str) -> None:
    keys = []
    for search in (one, other):
        type_name, _, text = search.partition("?")
        query = parse(REGISTRY[type_name], pairs(text), CONTEXT).query
        key = page_statement(query, None)._generate_cache_key()
        assert key is not None
        keys.append(key.key)
    assert keys[0] == keys[1]
