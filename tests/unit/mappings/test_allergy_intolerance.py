"""AllergyIntolerance: its columns, reactions and what comes back.

https://hl7.org/fhir/R4/allergyintolerance.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mappings import convert, v2lines
from mappings.element import Refused, V2Context
from mappings.resources.allergy_intolerance import ALLERGY_INTOLERANCE, REACTION
from mappings.search import index_strings, parameters
from storage.model.clinical import AllergyReaction
from storage.model.shared import Annotation, Concept, SearchString
from tests.fixtures.resources import decode, draw, numbered, read, repetition, text

CONTEXT = V2Context(zone=ZoneInfo("Europe/Amsterdam"))
FULL: dict[str, Any] = decode(
    """{
    "resourceType": "AllergyIntolerance", "id": "a1",
    "identifier": [{"value": "A-1"}],
    "clinicalStatus": {"coding": [{"code": "active"}]},
    "verificationStatus": {"coding": [{"code": "confirmed"}]},
    "type": "allergy", "category": ["food", "biologic"], "criticality": "high",
    "code": {"text": "peanut"},
    "patient": {"reference": "Patient/p1"}, "encounter": {"reference": "Encounter/e1"},
    "onsetDateTime": "2003-05", "recordedDate": "2020-02-01T10:00:00+01:00",
    "recorder": {"reference": "Practitioner/d1"}, "asserter": {"reference": "Patient/p1"},
    "lastOccurrence": "2019",
    "note": [{"text": "carries an injector"}],
    "reaction": [{"substance": {"text": "peanut butter"},
                  "manifestation": [{"text": "hives"}, {"text": "cough"}], "description": "within minutes",
                  "onset": "2019-07-04", "severity": "severe",
                  "exposureRoute": {"text": "oral"}, "note": [{"text": "adrenaline given"}]},
                 {"manifestation": [{"text": "itch"}], "id": "r2"}]
    }"""
)


def test_each_element_fills_its_column() -> None:
    record = read(ALLERGY_INTOLERANCE, FULL)
    main = record.main
    assert (main["type"], main["category"], main["criticality"]) == ("allergy", ["food", "biologic"], "high")
    assert (main["onset"], main["last_occurrence"]) == ("2003-05", "2019")
    assert main["onset_hi"] == datetime(2003, 6, 1, tzinfo=UTC)
    assert main["recorded_date_lo"] == datetime(2020, 2, 1, 9, tzinfo=UTC)
    for name in ("clinicalStatus", "verificationStatus", "code"):
        assert len(record.rows(Concept, None, name)) == 1
    assert sorted(link.column for link in record.links) == [
        "asserter_id",
        "encounter_id",
        "patient_id",
        "recorder_id",
    ]


def test_reactions_are_rows_in_order() -> None:
    record = read(ALLERGY_INTOLERANCE, FULL)
    first, second = record.rows(AllergyReaction)
    assert (first["description"], first["onset"], first["severity"]) == (
        "within minutes",
        "2019-07-04",
        "severe",
    )
    shown = record.rows(Concept, first["id"], "reaction.manifestation")
    assert [row["text"] for row in shown] == ["hives", "cough"]
    assert len(record.rows(Concept, first["id"], "reaction.exposureRoute")) == 1
    assert len(record.rows(Annotation, first["id"], "reaction.note")) == 1
    assert second["remainder"] == {"x": {"id": "r2"}}


def test_what_is_read_comes_back_with_nothing_left_over() -> None:
    record = read(ALLERGY_INTOLERANCE, FULL)
    assert text(draw(ALLERGY_INTOLERANCE, record)) == text(FULL)
    assert record.resource["remainder"] is None


@pytest.mark.parametrize(
    "change",
    [
        {"extension": [{"url": "urn:x", "valueDecimal": 1}], "_criticality": {"id": "c"}},
        {
            "category": [None, "food"],
            "_category": [{"extension": [{"url": "urn:x", "valueCode": "a"}]}, None],
        },
        {"contained": [{"resourceType": "Basic", "id": "b"}], "unheard": {"of": [1]}},
    ],
)
def test_what_no_column_claims_comes_back(change: dict[str, Any]) -> None:
    assert text(draw(ALLERGY_INTOLERANCE, read(ALLERGY_INTOLERANCE, FULL | change))) == text(FULL | change)


ONSETS = [
    ("onsetAge", {"value": 3, "unit": "a"}),
    ("onsetPeriod", {"start": "2003"}),
    ("onsetRange", {"low": {"value": 3}}),
    ("onsetString", "as a child"),
]


@pytest.mark.parametrize(("key", "value"), ONSETS)
def test_other_onsets_than_a_date_have_no_column_and_one_replaces_another(key: str, value: Any) -> None:
    given = {name: part for name, part in FULL.items() if name != "onsetDateTime"} | {key: value}
    record = read(ALLERGY_INTOLERANCE, given)
    assert record.main["onset"] is None
    assert text(draw(ALLERGY_INTOLERANCE, record)) == text(given)
    line = ALLERGY_INTOLERANCE.by_element["onsetDateTime"]
    at = convert.top(record, ALLERGY_INTOLERANCE, numbered())
    convert.replace_element(at, line, "onsetDateTime", "2004")
    drawn = draw(ALLERGY_INTOLERANCE, record)
    assert drawn["onsetDateTime"] == record.main["onset"] == "2004"
    assert key not in drawn


@pytest.mark.parametrize(
    ("change", "expression"),
    [
        ({"type": "dislike"}, "AllergyIntolerance.type"),
        ({"criticality": "extreme"}, "AllergyIntolerance.criticality"),
        ({"category": ["food", "pet"]}, "AllergyIntolerance.category[1]"),
        (
            {"reaction": [{}, {"manifestation": [{"text": "x"}], "severity": "bad"}]},
            "AllergyIntolerance.reaction[1].severity",
        ),
    ],
)
def test_a_code_that_is_not_listed_is_refused(change: dict[str, Any], expression: str) -> None:
    with pytest.raises(Refused) as caught:
        read(ALLERGY_INTOLERANCE, FULL | change)
    assert (caught.value.kind, caught.value.expression) == ("code-invalid", expression)


def test_each_category_can_be_searched_for() -> None:
    record = read(ALLERGY_INTOLERANCE, FULL)
    index_strings(ALLERGY_INTOLERANCE, record, numbered())
    found = record.rows(SearchString, None, "category")
    assert [row["value"] for row in found] == ["food", "biologic"]


@pytest.mark.parametrize(
    ("raw", "category", "kind"),
    [
        ("DA", ["medication"], "allergy"),
        ("fa", ["food"], "allergy"),
        ("AA", ["biologic"], "allergy"),
        ("LA", ["environment"], "allergy"),
        ("MA", None, "allergy"),
        ("MC", None, None),
        ("ZZ", None, None),
    ],
)
def test_al1_2_tells_category_and_type(raw: str, category: Any, kind: str | None) -> None:
    found = {
        line.element: v2lines.v2_value(line, field, repetition(raw), CONTEXT)
        for line, fields, _ in v2lines.v2_lines(ALLERGY_INTOLERANCE, ("AL1",))
        for field in fields
        if field.field == "AL1-2"
    }
    assert found == {"category": category, "type": kind}


@pytest.mark.parametrize(
    ("raw", "criticality", "severity"),
    [("SV", "high", "severe"), ("MO", None, "moderate"), ("MI", "low", "mild"), ("U", None, None)],
)
def test_al1_4_tells_criticality_or_severity(raw: str, criticality: Any, severity: Any) -> None:
    for line, told in (
        (ALLERGY_INTOLERANCE.by_element["criticality"], criticality),
        (REACTION.by_element["severity"], severity),
    ):
        assert v2lines.v2_value(line, line.v2[0], repetition(raw), CONTEXT) == told


@pytest.mark.parametrize(
    ("raw", "made"),
    [
        ("Hives, at once", {"text": "Hives, at once"}),
        ("247472004^Hives^SCT", "247472004"),
        ("", None),
    ],
)
def test_al1_5_is_the_manifestation(raw: str, made: Any) -> None:
    line = REACTION.by_element["manifestation"]
    value = v2lines.v2_value(line, line.v2[0], repetition(raw), CONTEXT)
    assert (value["coding"][0]["code"] if value and "coding" in value else value) == made


def test_al1_6_is_the_onset_and_replaces_another() -> None:
    given = {name: part for name, part in FULL.items() if name != "onsetDateTime"} | {"onsetString": "early"}
    record = read(ALLERGY_INTOLERANCE, given)
    at = convert.top(record, ALLERGY_INTOLERANCE, numbered())
    for line, fields, around in v2lines.v2_lines(ALLERGY_INTOLERANCE, ("AL1",)):
        if fields[0].field == "AL1-6":
            value = v2lines.v2_value(line, fields[0], repetition("20030517"), CONTEXT)
            v2lines.set_from_v2(convert.descend(at, around), line, around, value)
    drawn = draw(ALLERGY_INTOLERANCE, record)
    assert drawn["onsetDateTime"] == "2003-05-17"
    assert "onsetString" not in drawn


def test_every_search_parameter_of_r4_is_there() -> None:
    wanted = """asserter category clinical-status code criticality date identifier last-date manifestation
        onset patient recorder route severity type verification-status"""
    assert set(wanted.split()) <= parameters(ALLERGY_INTOLERANCE).keys()
