"""A statement that was made for a shape says, with values, what a statement made of the values says.

https://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from gateway.fhir.params import parse
from gateway.fhir.query_string import Pair
from gateway.fhir.search_values import Context
from mappings.resources import REGISTRY
from storage.search.compile import page_statement
from storage.search.page import Cursor
from storage.search.prepared import statement
from storage.search.query import Query

CONTEXT = Context(datetime(2026, 1, 1, tzinfo=UTC), "http://here/fhir")
words = st.text("aäZ7%_/-\U0010ffff\ud7ff", min_size=1, max_size=5).filter(lambda text: text.strip())
ids = st.from_regex("[A-Za-z0-9.-]{1,8}", fullmatch=True)
systems = st.sampled_from(["", "urn:x|", "urn:y|", "|"])
prefixes = st.sampled_from(["", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb", "ap"])
days = st.dates(datetime(1990, 1, 1, tzinfo=UTC).date(), datetime(2030, 1, 1, tzinfo=UTC).date()).map(str)
tokens = st.builds(lambda system, code: system + code, systems, ids)
quantities = st.builds(
    lambda prefix, number, unit: f"{prefix}{number}{unit}",
    prefixes,
    st.decimals(-999, 999, places=2),
    st.sampled_from(["", "|http://unitsofmeasure.org|mg", "||g", "|http://unitsofmeasure.org|no such"]),
)
dates = st.builds(lambda prefix, day: prefix + day, prefixes, days)
references = st.one_of(ids, ids.map("Patient/{}".format), ids.map("http://there/Patient/{}".format))

PARAMETERS: dict[str, st.SearchStrategy[str]] = {
    "code": tokens,
    "code:not": tokens,
    "code:text": words,
    "status": st.sampled_from(["final", "registered"]),
    "identifier": tokens,
    "_id": ids,
    "_lastUpdated": dates,
    "date": dates,
    "value-quantity": quantities,
    "value-string": words,
    "code-value-quantity": st.builds(lambda code, amount: f"{code}${amount}", tokens, quantities),
    "subject": references,
    "subject:identifier": tokens,
    "patient.family": words,
    "patient.family:exact": words,
    "patient.name:contains": words,
    "patient.identifier": tokens,
    "patient.birthdate": dates,
    "patient.gender": st.sampled_from(["male", "female"]),
    "_has:Provenance:target:_id": ids,
}

searches = st.lists(
    st.sampled_from(sorted(PARAMETERS)).flatmap(lambda name: st.tuples(st.just(name), PARAMETERS[name])),
    min_size=1,
    max_size=3,
)


def query_of(asked: list[Pair]) -> Query:
    return parse(REGISTRY["Observation"], asked, CONTEXT).query


@settings(max_examples=300, deadline=None)
@given(searches)
def test_a_statement_of_a_shape_says_what_one_of_the_values_says(asked: list[Pair]) -> None:
    query = query_of(asked)
    made, values = statement(page_statement, query, None)
    plain: Any = page_statement(query, None).compile(
        dialect=PGDialect_psycopg(), compile_kwargs={"render_postcompile": True}
    )
    assert made.text.decode() == str(plain)
    assert values == plain.params


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(["code", "identifier", "_id", "code:text", "subject:identifier"]), ids, ids)
def test_searches_that_differ_in_values_alone_share_a_statement(name: str, one: str, other: str) -> None:
    first, before = statement(page_statement, query_of([(name, f"{one}x")]), None)
    second, after = statement(page_statement, query_of([(name, f"{other}y")]), None)
    assert first is second
    assert before != after


@settings(max_examples=50, deadline=None)
@given(st.uuids(), st.uuids(), words, words)
def test_the_pages_of_a_search_share_a_statement(one: UUID, other: UUID, here: str, there: str) -> None:
    at = CONTEXT.now
    first, before = statement(
        page_statement, query_of([("code", "x"), ("_cursor", here)]), Cursor((at,), one)
    )
    second, after = statement(
        page_statement, query_of([("code", "x"), ("_cursor", there)]), Cursor((at,), other)
    )
    assert first is second
    assert one in before.values()
    assert other in after.values()


@pytest.mark.parametrize(
    ("type_name", "name", "value"),
    [
        ("Patient", "_id", ",".join(f"i{number}" for number in range(500))),
        ("Patient", "identifier", f"urn:{'x' * 10_000}|1"),
        ("Patient", "_content", "x" * 10_000),
        ("ValueSet", "url", f"http://x/{'x' * 10_000}"),
        ("ValueSet", "url", ",".join(f"http://x/{number}" for number in range(1000))),
    ],
)
def test_the_statement_of_a_search_for_very_much_is_not_kept(type_name: str, name: str, value: str) -> None:
    query = parse(REGISTRY[type_name], [(name, value)], CONTEXT).query
    first, _ = statement(page_statement, query, None)
    second, _ = statement(page_statement, query, None)
    assert first is not second
    assert first == second
    assert not first.settled
