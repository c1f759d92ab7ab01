"""What validation accepts and refuses of contained resources, references and narrative.

https://hl7.org/fhir/R4/references.html#contained and https://hl7.org/fhir/R4/narrative.html
"""

from __future__ import annotations

from typing import Any

import pytest

from gateway.fhir.validate import check
from tests.unit.fhir.samples import DIV, found, refusal, valid


def contained(*items: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "contained": list(items), **more}


GP = {"resourceType": "Practitioner", "id": "g", "active": True}
TO_GP = [{"reference": "#g"}]


@pytest.mark.parametrize(
    ("resource", "key"),
    [
        (contained(GP), "dom-3"),
        (contained({**GP, "contained": [{**GP, "id": "h"}]}, generalPractitioner=TO_GP), "dom-2"),
        (contained({**GP, "meta": {"versionId": "1"}}, generalPractitioner=TO_GP), "dom-4"),
        (contained({**GP, "meta": {"security": [{"code": "R"}]}}, generalPractitioner=TO_GP), "dom-5"),
        (contained(GP, GP, generalPractitioner=TO_GP), "contained-id"),
    ],
)
def test_the_rules_for_contained_resources_hold(resource: dict[str, Any], key: str) -> None:
    assert key in [issue.details_code for issue in refusal(resource).issues]


def test_a_contained_resource_may_refer_to_its_container() -> None:
    inner = {"resourceType": "RelatedPerson", "id": "r", "patient": {"reference": "#"}}
    check(contained(inner), "Patient")


def test_a_fragment_is_looked_up_in_the_entry_that_it_stands_in() -> None:
    lone = {"resourceType": "Patient", "generalPractitioner": TO_GP}
    entries = [{"resource": contained(GP, generalPractitioner=TO_GP)}, {"resource": lone}]
    problem = refusal({"resourceType": "Bundle", "type": "collection", "entry": entries})
    assert found(problem) == [("invariant", "Bundle.entry[1].resource.generalPractitioner[0].reference")]


def test_a_conditional_reference_passes_only_where_it_is_allowed() -> None:
    resource = valid("Patient", managingOrganization={"reference": "Organization?identifier=a|b"})
    check(resource, "Patient", conditional_references=True)
    assert found(refusal(resource)) == [("value", "Patient.managingOrganization.reference")]
    wrong = valid("Patient", managingOrganization={"reference": "Patient?identifier=a|b"})
    assert refusal(wrong, "Patient", conditional_references=True).status == 422


XHTML = "http://www.w3.org/1999/xhtml"


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        '<p onclick="x()">a</p>',
        '<a href="javascript:x()">a</a>',
        '<a href="java&#10;script:x()">a</a>',
        '<a href=" VBScript:x">a</a>',
        '<img src="data:text/html,x"/>',
        '<p style="background:url(http://x.example)">a</p>',
        '<p style="width:expression(alert(1))">a</p>',
        '<iframe src="http://x.example"/>',
        "<form><p>a</p></form>",
        '<svg xmlns="http://www.w3.org/2000/svg"><p>a</p></svg>',
        "<?php x ?>",
        "a&nbsp;b",
        "<p>a",
        "   ",
        "<!-- only a comment -->",
    ],
)
def test_narrative_with_active_or_broken_content_is_refused(inside: str) -> None:
    text = {"status": "generated", "div": f'<div xmlns="{XHTML}">{inside}</div>'}
    assert found(refusal(valid("Patient", text=text))) == [("invariant", "Patient.text.div")]


@pytest.mark.parametrize(
    "div",
    [
        DIV,
        f'<div xmlns="{XHTML}"><a href="http://x.example">a</a><!-- c --><br/>&#160;&lt;</div>',
        f'<div xmlns="{XHTML}"><img src="#p" alt="x"/></div>',
        f'<h:div xmlns:h="{XHTML}"><h:b style="color: red">a</h:b></h:div>',
    ],
)
def test_harmless_narrative_passes(div: str) -> None:
    check(valid("Patient", text={"status": "generated", "div": div}), "Patient")


@pytest.mark.parametrize("inside", ["&a;", "a"])
def test_narrative_cannot_bring_a_document_type(inside: str) -> None:
    div = f'<!DOCTYPE div [<!ENTITY a "b">]><div xmlns="{XHTML}">{inside}</div>'
    problem = refusal(valid("Patient", text={"status": "generated", "div": div}))
    assert found(problem) == [("invariant", "Patient.text.div")]
