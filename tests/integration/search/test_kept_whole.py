"""Each search parameter of types without tables finds the official examples by their own values.

https://hl7.org/fhir/R4/searchparameter-registry.html. What a value is, the standard's own FHIRPath expression
tells, evaluated by another's engine: the table of leaves has no part in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from fhirpathpy import compile as compile_path
from fhirpathpy.models import models

from gateway.fhir import wire
from mappings.resources import REGISTRY, WITH_TABLES
from mappings.search import SearchParameter, parameters
from storage.session import Store
from tests.fixtures.library import Library

Example = dict[str, Any]


@pytest.fixture(scope="module")
def examples(corpus: Path) -> list[Example]:
    """The official examples of types without tables, each with an id of its own."""
    made: list[Example] = []
    for path in sorted((corpus / "fhir-r4" / "examples").glob("*.json")):
        value = json.loads(path.read_text())
        if value["resourceType"] not in WITH_TABLES:
            made.append(value | {"id": f"x{len(made)}"})
    return made


@pytest.fixture(scope="module")
def expressions(corpus: Path) -> dict[tuple[str, str], str]:
    """The standard's expression of each parameter, by type and name."""
    listed = json.loads((corpus / "fhir-r4" / "definitions" / "search-parameters.json").read_text())
    return {(base, found["code"]): found.get("expression", "") for found in listed for base in found["base"]}


@pytest.fixture(scope="module")
def library(store: Store, examples: list[Example], _wipe: str) -> Library:
    with store.connection() as connection:
        connection.execute(_wipe.encode())
    made = Library(store)
    for value in examples:
        exact = wire.decode(json.dumps(value).encode())
        made.put(value["resourceType"], value["id"], **{k: v for k, v in exact.items() if k != "id"})
    return made


@cache
def path_of(text: str) -> Any:
    return compile_path(text, models["r4"])


def values_of(value: Example, expression: str, kind_of_parameter: str = "") -> list[Any]:
    """Return what an expression gives for a resource; the text of a choice is no date."""
    found: list[Any] = []
    kind = value["resourceType"]
    for text in (part.strip() for part in expression.split("|")):
        if text.lstrip("(").partition(".")[0] != kind and "." in text:
            continue
        only = re.search(r"\.where\(resolve\(\) is (\w+)\)", text)
        plain = text.replace(only[0], "") if only else text
        # The engine takes ``as`` of one item only, as the final FHIRPath has it.
        made: list[Any] = path_of(re.sub(r"^\((.*) as (\w+)\)$", r"\1.ofType(\2)", plain))(value)
        if kind_of_parameter == "date" and path_of(f"{plain}.ofType(string)")(value):
            continue
        found += [each for each in made if not is_open(each) and (only is None or is_to(each, only[1]))]
    return found


def is_to(reference: Any, kind: str) -> bool:
    """Tell whether a reference is to a type; what is contained does not tell its own, and may be of any."""
    literal = reference.get("reference", "#") if isinstance(reference, dict) else ""
    return literal.startswith("#") or f"/{kind}/" in f"/{literal}"


def is_open(value: Any) -> bool:
    """Tell whether a value is a timing that says how often, but not when."""
    return isinstance(value, dict) and value.keys() == {"repeat"} and "boundsPeriod" not in value["repeat"]


def own(type_name: str) -> list[SearchParameter]:
    """The parameters of a type that not all types have."""
    return [made for name, made in parameters(REGISTRY[type_name]).items() if not name.startswith("_")]


def escaped(text: Any) -> str:
    return re.sub(r"([\\,$|])", r"\\\1", str(text))


def asked(parameter: SearchParameter, value: Any) -> Iterator[str]:
    """Yield the searches that a value should be found by."""
    if isinstance(value, dict):
        yield from _ASKED[parameter.type](value)
    elif isinstance(value, bool):
        yield str(value).lower()
    elif value:
        yield escaped(value)


def of_token(value: dict[str, Any]) -> Iterator[str]:
    for coding in value.get("coding", [value]):
        told = coding.get("code") or coding.get("value")
        if told:
            yield escaped(told)
        if told and coding.get("system", "").startswith(("http", "urn")):
            yield f"{escaped(coding['system'])}|{escaped(told)}"


def of_reference(value: dict[str, Any]) -> Iterator[str]:
    literal = value.get("reference", "#")
    if not literal.startswith("#"):
        yield escaped(literal)


def of_date(value: dict[str, Any]) -> Iterator[str]:
    for name, prefix in (("start", "ge"), ("end", "le")):
        if name in value:
            yield prefix + value[name]
    yield from (f"ap{event}" for event in value.get("event", ()))


def of_string(value: dict[str, Any]) -> Iterator[str]:
    for name in ("family", "text", "city"):
        if name in value:
            yield escaped(value[name])
    yield from (escaped(part) for name in ("given", "line") for part in value.get(name, ()))


def of_quantity(value: dict[str, Any]) -> Iterator[str]:
    if "value" in value:
        yield str(value["value"])
    if {"value", "system", "code"} <= value.keys():
        yield f"{value['value']}|{value['system']}|{value['code']}"


_ASKED = {
    "token": of_token,
    "reference": of_reference,
    "date": of_date,
    "string": of_string,
    "quantity": of_quantity,
}


def test_each_parameter_finds_examples_by_their_values(
    library: Library, examples: list[Example], expressions: dict[tuple[str, str], str]
) -> None:
    searches: set[tuple[str, str]] = set()
    for value in examples:
        kind = value["resourceType"]
        for parameter in own(kind):
            for found in values_of(value, expressions[kind, parameter.name], parameter.type)[:2]:
                for text in asked(parameter, found):
                    query = urlencode({parameter.name: text, "_count": 1000})
                    assert value["id"] in library.ids(kind, query), (kind, value["id"], query)
                    searches.add((kind, parameter.name))
    assert len(searches) >= 150


def test_each_parameter_is_missing_where_its_expression_gives_nothing(
    library: Library, examples: list[Example], expressions: dict[tuple[str, str], str]
) -> None:
    for kind in sorted({value["resourceType"] for value in examples}):
        mine = [value for value in examples if value["resourceType"] == kind]
        for parameter in own(kind):
            expression = expressions[kind, parameter.name]
            there = {value["id"] for value in mine if values_of(value, expression, parameter.type)}
            found = library.ids(kind, f"{parameter.name}:missing=false&_count=1000")
            assert set(found) == there, (kind, parameter.name)
