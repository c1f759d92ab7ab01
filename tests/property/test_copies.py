"""Copies for search are made exactly where the standard's own expressions find something, in any resource.

https://hl7.org/fhir/R4/searchparameter-registry.html
"""

from __future__ import annotations

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from fhirpathpy import compile as compile_path
from fhirpathpy.models import models
from hypothesis import HealthCheck, Phase, given, settings

from mappings.resources import REGISTRY
from mappings.search import SearchParameter, index_strings, parameters
from storage.lexical import ENCODER
from storage.record import Record
from storage.search.present import where
from tests.fixtures.resources import numbered, read
from tests.strategies.resources import resource

TYPES = (
    *(
        "Appointment",
        "AuditEvent",
        "CarePlan",
        "Claim",
        "Composition",
        "Group",
        "Library",
        "MedicationRequest",
    ),
    *("Person", "PractitionerRole", "RiskAssessment", "Task"),
)
"""A sample of the types without tables."""
OFTEN_NOTHING = ("date", "quantity", "number", "string")
"""Types of parameters whose values may have nothing to compare: a period without bounds, a name without
parts; or a choice of another type, as a text for a date or a range for a number.
"""


@pytest.fixture(scope="module")
def expressions(corpus: Path) -> dict[tuple[str, str], str]:
    """The standard's expression of each parameter, by type and name."""
    listed = json.loads((corpus / "fhir-r4" / "definitions" / "search-parameters.json").read_text())
    return {(base, found["code"]): found.get("expression", "") for found in listed for base in found["base"]}


@cache
def path_of(text: str) -> Any:
    return compile_path(text, models["r4"])


def plain(value: Any) -> Any:
    """Leave out extensions: of what has nothing else the engine says that it is not there, or that it is."""
    if isinstance(value, dict):
        kept = {key: plain(part) for key, part in value.items() if not key.startswith(("_", "extension"))}
        return {key: part for key, part in kept.items() if part not in ({}, [])}
    if isinstance(value, list):
        return [part for part in map(plain, value) if part not in ({}, [], None)]
    return value


def alternatives(name: str, expression: str) -> list[str]:
    """Return the alternatives of an expression that are of a type, as the engine takes them."""
    found = (part.strip() for part in expression.split("|"))
    mine = (text for text in found if "." not in text or text.lstrip("(").startswith(f"{name}."))
    bare = (re.sub(r"\.where\(resolve\(\) is \w+\)", "", text) for text in mine)
    return [re.sub(r"^\((.*) as (\w+)\)$", r"\1.ofType(\2)", text) for text in bare]


def has_rows(parameter: SearchParameter, record: Record) -> bool:
    """Tell whether a record has rows where a parameter looks, whatever their types of target."""
    for place in map(where, parameter.targets):
        column = place.table.element_column or ""
        for row in record.all_rows(place.table):
            if row[column] in place.elements and all(row[name] == told for name, told in place.guards):
                return True
    return False


def drawn(name: str) -> list[dict[str, Any]]:
    """Return some resources of a type. They are drawn before the engine is asked: it may not run between
    draws, which would then no longer be told apart.
    """
    made: list[dict[str, Any]] = []

    @settings(
        max_examples=60,
        phases=[Phase.generate],
        suppress_health_check=[
            HealthCheck.too_slow,
            HealthCheck.data_too_large,
            HealthCheck.large_base_example,
        ],
    )
    @given(resource(name))
    def draw(value: dict[str, Any]) -> None:
        made.append(plain(value))

    draw()
    return made


@pytest.mark.parametrize("name", TYPES)
def test_copies_are_where_the_expressions_find_values(
    expressions: dict[tuple[str, str], str], name: str
) -> None:
    own = {code: made for code, made in parameters(REGISTRY[name]).items() if not code.startswith("_")}
    seen: set[str] = set()
    for value in drawn(name):
        record = read(REGISTRY[name], value)
        index_strings(REGISTRY[name], record, numbered())
        asked = json.loads(ENCODER.encode(value))
        for code, parameter in own.items():
            found = any(path_of(text)(asked) for text in alternatives(name, expressions[name, code]))
            copied = has_rows(parameter, record)
            assert found or not copied, (code, json.dumps(asked))
            assert copied or not found or parameter.type in OFTEN_NOTHING, (code, json.dumps(asked))
            seen |= {code} if copied else set[str]()
    assert len(seen) >= len(own) // 3
