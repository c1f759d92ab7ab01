from __future__ import annotations

from typing import Any

import pytest

from tests.fixtures.library import Library

UCUM = "http://unitsofmeasure.org"


def code(*codes: str, system: str = "urn:x") -> dict[str, Any]:
    return {"coding": [{"system": system, "code": each} for each in codes]}


def mm(value: int) -> dict[str, Any]:
    return {"value": value, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"}


def pressure(high: int, low: int) -> list[dict[str, Any]]:
    return [
        {"code": code("sys"), "valueQuantity": mm(high)},
        {"code": code("dia"), "valueQuantity": mm(low)},
    ]


def observe(library: Library, fhir_id: str, *codes: str, **elements: Any) -> None:
    subject = {"reference": f"Patient/{elements.pop('patient', 'p1')}"}
    library.put("Observation", fhir_id, status="final", code=code(*codes), subject=subject, **elements)


def write(made: Library) -> None:
    for patient in ("p1", "p2"):
        made.put("Patient", patient)
    observe(made, "bp1", "bp", component=pressure(160, 70))
    observe(made, "bp2", "bp", component=pressure(120, 95), patient="p2")
    observe(made, "bare", "sys", valueQuantity=mm(150))
    observe(made, "twice", "sys", "heart", valueQuantity=mm(90), component=pressure(110, 60))
    observe(made, "typed", "group", valueCodeableConcept=code("A", "pos"))
    observe(made, "mixed", "bp", component=[{"code": code("group"), "valueCodeableConcept": code("B")}])
    observe(made, "told", "note", valueString="Clear, light yellow")
    observe(made, "dated", "last", valueDateTime="2020-03-05")
    observe(made, "none", "sys")
    made.put("DocumentReference", "d0", status="superseded", content=[{"attachment": {"url": "urn:a"}}])
    relations = [
        {"code": "replaces", "target": {"reference": "DocumentReference/d0"}},
        {"code": "appends", "target": {"reference": "DocumentReference/far"}},
    ]
    made.put(
        "DocumentReference",
        "d1",
        status="current",
        content=[{"attachment": {"url": "urn:b"}}],
        relatesTo=relations,
    )


MATCHES = [
    # Both parts of the resource itself.
    ("Observation", "code-value-quantity=sys$gt140", "bare"),
    ("Observation", "code-value-quantity=sys$gt80", "bare twice"),
    ("Observation", "code-value-quantity=urn:x|heart$90", "twice"),
    ("Observation", "code-value-quantity=urn:y|heart$90", ""),
    ("Observation", f"code-value-quantity=sys$gt80|{UCUM}|mm[Hg]", "bare twice"),
    ("Observation", f"code-value-quantity=sys$gt80|{UCUM}|kPa", ""),
    ("Observation", "code-value-quantity=sys$lt100,sys$gt140", "bare twice"),
    ("Observation", "code-value-quantity=sys$lt100,bp$gt140", "twice"),
    ("Observation", "code-value-quantity=sys$gt80&code-value-quantity=heart$lt100", "twice"),
    ("Observation", "code-value-concept=group$pos", "typed"),
    ("Observation", "code-value-concept=group$B", ""),
    ("Observation", "code-value-string=note$clear", "told"),
    ("Observation", "code-value-string=bp$clear", ""),
    ("Observation", "code-value-date=last$ge2020-03", "dated"),
    ("Observation", "code-value-date=last$2021", ""),
    # Both parts of one component.
    ("Observation", "component-code-value-quantity=sys$gt100", "bp1 bp2 twice"),
    ("Observation", "component-code-value-quantity=sys$gt140", "bp1"),
    ("Observation", "component-code-value-quantity=dia$gt90", "bp2"),
    ("Observation", "component-code-value-quantity=sys$gt140,dia$gt90", "bp1 bp2"),
    (
        "Observation",
        "component-code-value-quantity=sys$gt100&component-code-value-quantity=dia$lt65",
        "twice",
    ),
    ("Observation", "component-code-value-concept=group$B", "mixed"),
    ("Observation", "component-code-value-concept=group$A", ""),
    # Either, but never one part here and the other there.
    ("Observation", "combo-code-value-quantity=sys$gt140", "bare bp1"),
    ("Observation", "combo-code-value-quantity=heart$110", ""),
    ("Observation", "combo-code-value-quantity=bp$gt100", ""),
    ("Observation", "combo-code-value-concept=group$A,group$B", "mixed typed"),
    ("Observation", "patient=p2&combo-code-value-quantity=dia$gt0", "bp2"),
    # At the end of a chain.
    ("Patient", "_has:Observation:patient:component-code-value-quantity=dia$gt90", "p2"),
    # One relation of a document.
    ("DocumentReference", "relationship=DocumentReference/d0$replaces", "d1"),
    ("DocumentReference", "relationship=d0$replaces", "d1"),
    ("DocumentReference", "relationship=DocumentReference/d0$appends", ""),
    ("DocumentReference", "relationship=DocumentReference/far$appends", "d1"),
]


@pytest.mark.parametrize(("type_name", "text", "ids"), MATCHES)
def test_the_parts_of_a_composite_are_met_by_one_item(
    library: Library, type_name: str, text: str, ids: str
) -> None:
    assert sorted(library.ids(type_name, text)) == ids.split()
