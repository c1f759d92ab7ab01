"""The interactions and operations of each resource type, as a page for people, printed from what the server
says of itself: https://hl7.org/fhir/R4/http.html.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from gateway.fhir import wire
from gateway.fhir.metadata import INTERACTIONS, statement
from mappings.resources import WITH_TABLES

HEAD = """# Interactions

What can be done with each resource type, printed by `suture docs --interactions` from what `/fhir/metadata`
says; a test does each of it with each type. Types in bold have tables of their own; others are kept whole.
"""
CONDITIONAL = ("conditionalCreate", "conditionalRead", "conditionalUpdate", "conditionalDelete")
"""What the CapabilityStatement tells beside the interactions, each of which may be done by criteria."""

WORDS: dict[Any, str] = {True: "yes", "full-support": "yes", "multiple": "one or many"}
_ANYWHERE, _ANY_TIME = "http://localhost/fhir", datetime(2000, 1, 1, tzinfo=UTC)


def table() -> str:
    """Return the page: Markdown, what is done with all types at once, then a table of the types."""
    (rest,) = wire.decode(statement(_ANYWHERE, _ANY_TIME).content)["rest"]
    titles = ["type", *INTERACTIONS, *(_spaced(name) for name in CONDITIONAL), "operations"]
    lines = [titles, ["---"] * len(titles), *(list(_cells(told)) for told in rest["resource"])]
    return "\n".join([HEAD, _system(rest), *(f"| {' | '.join(line)} |" for line in lines), ""])


def _system(rest: dict[str, Any]) -> str:
    codes = ", ".join(f"`{told['code']}`" for told in rest["interaction"])
    return f"With all types at once: {codes}; {_operations(rest)}; `capabilities` at `/fhir/metadata`.\n"


def _cells(told: dict[str, Any]) -> Iterable[str]:
    name, codes = told["type"], {interaction["code"] for interaction in told["interaction"]}
    yield f"**{name}**" if name in WITH_TABLES else name
    yield from ("yes" if code in codes else "" for code in INTERACTIONS)
    yield from (WORDS.get(told.get(name), "") for name in CONDITIONAL)
    yield _operations(told)


def _operations(told: dict[str, Any]) -> str:
    return " ".join(f"`${operation['name']}`" for operation in told.get("operation", []))


def _spaced(name: str) -> str:
    """Return `conditional create` for `conditionalCreate`."""
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name)
