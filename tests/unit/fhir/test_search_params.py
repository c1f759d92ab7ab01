"""A search as text becomes a typed query: https://hl7.org/fhir/R4/search.html."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from gateway.errors import BadRequest, Problem, UnknownParameter, UnsupportedParameterValue
from gateway.fhir.params import Search, parse
from gateway.fhir.query_string import pairs, query_string, split, unescape
from gateway.fhir.search_values import Context
from mappings.resources import REGISTRY
from storage.search.query import Chained, Condition, Joint, Number, OfType, Ref, Token, Uri, When, Word

CONTEXT = Context(datetime(2026, 1, 1, tzinfo=UTC), "http://here/fhir")


def search(type_name: str, text: str, *, lenient: bool = False) -> Search:
    return parse(REGISTRY[type_name], pairs(text), CONTEXT, lenient=lenient)


def only(type_name: str, text: str) -> Condition:
    (found,) = search(type_name, text).query.conditions
    assert isinstance(found, Condition)
    return found


def day(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a,b", ["a", "b"]),
        (r"a\,b", ["a,b"]),
        (r"a\\,b", ["a\\", "b"]),
        (r"a\|b", ["a|b"]),
        (r"a\$b\x", [r"a$b\x"]),
        (r"a\,b,c\|,$|", ["a,b", "c|", "$|"]),
        ("a,b\\", ["a", "b\\"]),
        (",", ["", ""]),
    ],
)
def test_commas_part_alternatives_unless_escaped(text: str, parts: list[str]) -> None:
    assert [unescape(part) for part in split(text, ",")] == parts


@pytest.mark.parametrize("text", ["x" * 1_000_000, r"\," * 500_000, "x" * 1_000_000 + r"\,"])
def test_a_very_long_value_is_read_in_no_time(text: str) -> None:
    began = time.process_time()
    assert split(text, ",") == [text]
    assert time.process_time() - began < 3


@pytest.mark.parametrize("text", ["a=%FF", "a=%00", "&".join(f"a{n}=1" for n in range(1001))])
def test_parameters_that_no_text_can_be_are_refused(text: str) -> None:
    with pytest.raises(BadRequest):
        pairs(text)


def test_parameters_come_back_as_a_query_string_that_reads_the_same() -> None:
    listed = [("name:exact", r"O\,B & C"), ("date", "ge2020-01-01T00:00:00+02:00"), ("x", "a|b,c=ü")]
    assert pairs(query_string(listed)) == listed


@pytest.mark.parametrize(
    ("type_name", "text", "values"),
    [
        ("Patient", "identifier=1", (Token(None, "1"),)),
        (
            "Patient",
            "identifier=urn:x|1,|2,urn:y|",
            (Token("urn:x", "1"), Token("", "2"), Token("urn:y", None)),
        ),
        ("Patient", "identifier:of-type=urn:t|MR|1", (OfType("urn:t", "MR", "1"),)),
        ("Patient", "gender=http://hl7.org/fhir/administrative-gender|male", (Token(None, "male"),)),
        ("Patient", "gender=urn:other|male", (Token("urn:other", "male"),)),
        ("Patient", "active=true", (Token(None, "true"),)),
        ("Patient", "phone=(555) 1", (Token(None, "5551"), Token(None, "(555) 1"))),
        ("Patient", "email=JO@x.org", (Token(None, "jo@x.org"),)),
        ("Patient", "family=O'Brien", (Word("O'Brien", "obrien"),)),
        ("Patient", "family:exact=Zoë", (Word("Zoë", "zoe", "exact"),)),
        ("Patient", "family:contains=Zoë", (Word("Zoë", "zoe", "contains"),)),
        ("Patient", "phonetic=Rupert", (Word("Rupert", "rupert", "sounds", "R163"),)),
        ("Patient", "birthdate=2020", (When("eq", day("2020-01-01"), day("2021-01-01")),)),
        ("Patient", "birthdate=le2020-02", (When("le", day("2020-02-01"), day("2020-03-01")),)),
        (
            "Patient",
            "birthdate=ap2025-12-22",
            (When("ap", day("2025-12-21T02:24"), day("2025-12-23T21:36")),),
        ),
        (
            "Observation",
            "date=2020-01-01T10:00:00+02:00",
            (When("eq", day("2020-01-01T08:00"), day("2020-01-01T08:00:01")),),
        ),
        (
            "Observation",
            "value-quantity=5.4",
            (Number("eq", Decimal("5.4"), Decimal("5.35"), Decimal("5.45")),),
        ),
        (
            "Observation",
            "value-quantity=gt100|http://unitsofmeasure.org|mg",
            (
                Number(
                    "gt",
                    Decimal(100),
                    Decimal("99.5"),
                    Decimal("100.5"),
                    "http://unitsofmeasure.org",
                    "mg",
                    Number("gt", Decimal("0.1"), Decimal("0.0995"), Decimal("0.1005"), None, "g"),
                ),
            ),
        ),
        (
            "Observation",
            "value-quantity=ap10||mg",
            (Number("ap", Decimal(10), Decimal("9.0"), Decimal("11.0"), None, "mg"),),
        ),
        ("Observation", "subject=1,Patient/2", (Ref(None, "1"), Ref("Patient", "2"))),
        ("Observation", "subject:Patient=1", (Ref("Patient", "1"),)),
        ("Observation", "subject=http://here/fhir/Patient/2", (Ref("Patient", "2"),)),
        ("Observation", "subject=http://there/Patient/2", (Ref(literal="http://there/Patient/2"),)),
        ("Observation", "subject:identifier=urn:x|1", (Ref(identifier=Token("urn:x", "1")),)),
        (
            "Observation",
            "code-value-concept=urn:x|1$a,2$|b",
            (
                Joint(((Token("urn:x", "1"),), (Token(None, "a"),))),
                Joint(((Token(None, "2"),), (Token("", "b"),))),
            ),
        ),
        (
            "Observation",
            "combo-code-value-quantity=1$lt5.4",
            (
                Joint(
                    (
                        (Token(None, "1"),),
                        (Number("lt", Decimal("5.4"), Decimal("5.35"), Decimal("5.45")),),
                    )
                ),
            ),
        ),
        (
            "Observation",
            r"code-value-string=a\$b$c\$\,",
            (Joint(((Token(None, "a$b"),), (Word("c$,", "c$"),))),),
        ),
        (
            "DocumentReference",
            "relationship=DocumentReference/1$replaces",
            (Joint(((Ref("DocumentReference", "1"),), (Token(None, "replaces"),))),),
        ),
        ("Patient", "_profile=http://x/p", (Uri(("http://x/p",)),)),
        ("Patient", "_source:below=http://x", (Uri(("http://x",), below=True),)),
    ],
)
def test_values_are_read_by_kind(type_name: str, text: str, values: tuple[object, ...]) -> None:
    assert only(type_name, text.replace("+", "%2B")).values == values


def test_the_sign_of_an_offset_may_come_as_a_space() -> None:
    assert only("Observation", "date=2020-01-01T10:00:00+02:00") == only(
        "Observation", "date=2020-01-01T10:00:00%2B02:00"
    )


@pytest.mark.parametrize(
    ("type_name", "text"),
    [
        ("Patient", "birthdate=2020-13"),
        ("Patient", "birthdate=yesterday"),
        ("Patient", "birthdate=xx2020"),
        ("Patient", "active=maybe"),
        ("Patient", "active:missing=maybe"),
        ("Patient", "identifier=|"),
        ("Patient", "identifier=a|b|c"),
        ("Patient", "identifier:of-type=a|b"),
        ("Observation", "value-quantity=tall"),
        ("Observation", "value-quantity=5|mg"),
        ("Observation", "value-quantity=NaN"),
        ("Observation", "subject=no id"),
        ("Observation", "subject:Patient=Group/1"),
        ("Patient", "_count=-1"),
        ("Patient", "_count=few"),
        ("Patient", "_total=all"),
        ("Patient", "_summary=texts"),
        ("Patient", "_text=or"),
        ("Patient", "_text=(bone"),
        ("Patient", "_content=bone and"),
        ("Patient", "_list=$current-problems"),
        ("Patient", "_filter=gender"),
        ("Patient", "_filter=gender is male"),
        ("Patient", "_filter=gender co male"),
        ("Patient", "_filter=(gender eq male"),
        ("Patient", "_filter=gender eq male birthdate eq 2000"),
        ("Patient", "_filter=birthdate ge soon"),
        ("Patient", "_filter=birthdate pr maybe"),
        ("Patient", "_sort=name,name"),
        ("Observation", "code-value-quantity=1-8"),
        ("Observation", "code-value-quantity=1-8$"),
        ("Observation", "code-value-quantity=$5"),
        ("Observation", "code-value-quantity=1-8$5$6"),
        ("Observation", "code-value-quantity=1-8$tall"),
        ("Observation", "code-value-date=1-8$tomorrow"),
        ("Observation", "_sort=code-value-date"),
        ("Observation", "_include=*:subject"),
        ("Observation", "_include=Observation"),
    ],
)
def test_values_that_cannot_be_read_are_refused_by_the_name_of_their_parameter(
    type_name: str, text: str
) -> None:
    with pytest.raises(UnsupportedParameterValue) as caught:
        search(type_name, text)
    issue = caught.value.issues[0]
    assert issue.expression == "http." + text.partition("=")[0].partition(":")[0]
    assert issue.diagnostics


@pytest.mark.parametrize(
    ("text", "near"),
    [
        ("famly=x", "family"),
        ("birthDate=2020", "birthdate"),
        ("_sort=famly", "family"),
        ("_include=Patient:organisation", "organization"),
        ("_has:Observation:pat:code=1", "patient"),
        ("general-practitioner:Practitioner.nme=x", "name"),
    ],
)
def test_an_unknown_parameter_is_refused_naming_the_nearest(text: str, near: str) -> None:
    with pytest.raises(UnknownParameter) as caught:
        search("Patient", text)
    assert near in caught.value.issues[0].diagnostics


def test_lenient_handling_ignores_what_is_not_known_and_says_so() -> None:
    found = search("Patient", "famly=x&gender=male&_query=y", lenient=True)
    assert found.used == [("gender", "male")]
    assert [getattr(condition, "name", None) for condition in found.query.conditions] == ["gender"]
    assert len(found.ignored) == 2


@pytest.mark.parametrize(
    "text",
    [
        "gender:exact=x",
        "family:text=x",
        "family:nonsense=x",
        "birthdate:contains=2",
        "identifier:in=x",
        "identifier:above=x",
        "link:below=x",
        "phonetic:exact=x",
        "_count:not=1",
        "_include:recurse=Patient:organization",
    ],
)
def test_a_modifier_that_a_parameter_has_not_is_refused_even_in_lenient_handling(text: str) -> None:
    with pytest.raises(BadRequest) as caught:
        search("Patient", text, lenient=True)
    assert ":" + text.partition(":")[2].partition("=")[0] in caught.value.issues[0].diagnostics


@pytest.mark.parametrize("modifier", ["missing", "not", "exact"])
def test_a_composite_parameter_has_no_modifiers(modifier: str) -> None:
    with pytest.raises(BadRequest) as caught:
        search("Observation", f"code-value-quantity:{modifier}=1$2")
    assert caught.value.issues[0].diagnostics.endswith("it offers none.")


def test_a_chain_may_end_in_a_composite_parameter_but_not_lead_through_one() -> None:
    (found,) = search("Patient", "_has:Observation:patient:code-value-quantity=1$2").query.conditions
    assert isinstance(found, Chained)
    assert isinstance(found.condition, Condition)
    with pytest.raises(BadRequest):
        search("Observation", "code-value-quantity.name=x")


def test_parameters_without_a_value_are_ignored_and_left_out_of_what_was_used() -> None:
    found = search("Patient", "family=&gender=,&identifier=%20")
    assert found.query.conditions == ()
    assert found.used == []


def test_not_and_missing_shape_the_condition() -> None:
    assert only("Patient", "gender:not=male,female").negated
    assert only("Patient", "gender:missing=true").missing is True
    assert only("Patient", "gender:missing=false").missing is False


def test_text_of_codes_is_looked_for_in_concepts_and_displays() -> None:
    tables = [target.place.table.table.name for target in only("Observation", "code:text=gluc").targets]
    assert tables == ["concept", "coding"]


def test_parameters_that_shape_the_result() -> None:
    query = search("Patient", "_count=5000&_sort=-birthdate,family&_total=accurate&_cursor=abc").query
    assert (query.count, query.total, query.cursor) == (1000, "accurate", "abc")
    assert [(key.name, key.descending) for key in query.sort] == [("birthdate", True), ("family", False)]


def test_the_self_link_tells_the_size_of_page_that_was_used() -> None:
    assert search("Patient", "_count=5000").used == [("_count", "1000")]


@pytest.mark.parametrize("text", ["_summary=count&_count=7", "_count=7&_summary=count", "_count=0"])
def test_counting_alone_asks_for_no_matches(text: str) -> None:
    assert search("Patient", text).query.count == 0


@pytest.mark.parametrize("text", ["_count=1&_count=2", "_sort=family&_sort=given"])
def test_what_shapes_the_result_may_be_told_once(text: str) -> None:
    with pytest.raises(BadRequest):
        search("Patient", text)


def test_includes_name_source_paths_and_target() -> None:
    text = (
        "_include=Observation:subject:Patient&_include:iterate=Patient:organization"
        "&_revinclude=DiagnosticReport:result"
    )
    first, second, third = search("Observation", text).query.includes
    assert (first.source, first.paths, first.target) == ("Observation", ("subject",), "Patient")
    assert (second.source, second.paths, second.iterate) == ("Patient", ("managingOrganization",), True)
    assert (third.source, third.paths, third.reverse) == ("DiagnosticReport", ("result",), True)


def test_an_include_of_a_parameter_that_looks_at_one_type_brings_that_type_alone() -> None:
    (found,) = search("Observation", "_include=Observation:patient").query.includes
    assert found.target == "Patient"


def test_chains_lead_from_reference_to_reference() -> None:
    (found,) = search("Observation", "patient.organization:Organization.name=x").query.conditions
    assert isinstance(found, Chained)
    assert (found.paths, found.resource_type) == (("subject",), "Patient")
    assert isinstance(found.condition, Chained)
    assert found.condition.paths == ("managingOrganization",)
    assert isinstance(found.condition.condition, Condition)


def test_reverse_chains_lead_back() -> None:
    (found,) = search("Patient", "_has:Observation:patient:code:not=1").query.conditions
    assert isinstance(found, Chained)
    assert found.backward
    assert isinstance(found.condition, Condition)
    assert found.condition.negated


@pytest.mark.parametrize(
    "text",
    [
        "focus.identifier=x",
        "code.name=x",
        "patient.=x",
        "_has=x",
        "_has:Observation=x",
        "_has:Observation:code:x=1",
        "subject:Patient." + "link:Patient." * 5 + "name=x",
    ],
)
def test_chains_that_lead_nowhere_are_refused(text: str) -> None:
    with pytest.raises(Problem) as caught:
        search("Observation", text)
    assert caught.value.status == 400


def _many(count: int, value: str) -> str:
    return ",".join(value.replace("N", str(number)) for number in range(count))


@pytest.mark.parametrize(
    ("type_name", "allowed", "refused"),
    [
        ("Patient", _many(100, "name=N&"), _many(101, "name=N&")),
        ("Patient", "name=" + _many(2000, "N"), "name=" + _many(2001, "N")),
        ("Location", "near=" + _many(400, "1|2"), "near=" + _many(401, "1|2")),
        (
            "Observation",
            "combo-code-value-quantity=" + _many(200, "aN$1||mg"),
            "combo-code-value-quantity=" + _many(1000, "aN$1||mg"),
        ),
        (
            "Observation",
            _many(50, "subject:Patient.name=N&"),
            _many(51, "subject:Patient.name=N&"),
        ),
        (
            "Patient",
            _many(25, "_has:Observation:subject:performer:Practitioner.name=N&"),
            _many(26, "_has:Observation:subject:performer:Practitioner.name=N&"),
        ),
        (
            "Observation",
            "_filter=" + "&_filter=".join([" or ".join(["patient.name eq a"] * 40)] * 2),
            "_filter=" + "&_filter=".join([" and ".join(["patient.name eq a"] * 40)] * 2),
        ),
    ],
)
def test_a_search_that_the_database_would_plan_for_long_is_refused(
    type_name: str, allowed: str, refused: str
) -> None:
    assert search(type_name, allowed.replace("&,", "&")).query.conditions
    with pytest.raises(BadRequest) as caught:
        search(type_name, refused.replace("&,", "&"))
    assert " may have " in caught.value.issues[0].diagnostics


@pytest.mark.parametrize("step", ["", "/a" * 100, "|1" + ".1" * 100])
def test_urls_above_one_are_so_many_as_can_be_asked_for(step: str) -> None:
    assert search("ValueSet", f"url:above=http://x{step}").query.conditions


@pytest.mark.parametrize("url", ["http://x" + "/a" * 101, "http://x|1" + ".1" * 101])
def test_a_url_of_very_many_steps_has_no_above(url: str) -> None:
    with pytest.raises(UnsupportedParameterValue) as caught:
        search("ValueSet", f"url:above={url}")
    assert "100 steps" in caught.value.issues[0].diagnostics
