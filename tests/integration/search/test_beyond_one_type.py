from __future__ import annotations

from decimal import Decimal
from typing import Any
from urllib.parse import quote

import pytest

from gateway.errors import BadRequest, UnknownParameter, UnsupportedParameterValue
from storage.session import Store
from tests.fixtures.library import BASE, Library, found

UCUM = "http://unitsofmeasure.org"
LOINC = "http://loinc.org"
VALUE_SETS = "http://hl7.org/fhir/ValueSet"


def div(text: str) -> dict[str, str]:
    return {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{text}</div>'}


def of(patient: str) -> dict[str, str]:
    return {"reference": f"Patient/{patient}"}


def observed(library: Library, fhir_id: str, patient: str, **elements: Any) -> None:
    code = {"coding": [{"system": LOINC, "code": elements.pop("loinc", "1-8")}]}
    library.put("Observation", fhir_id, status="final", code=code, subject=of(patient), **elements)


def amount(value: Any, code: str | None, comparator: str | None = None) -> dict[str, Any]:
    made = {"value": value, "comparator": comparator, "unit": code and f"unit {code}", "code": code}
    return {name: each for name, each in ({**made, "system": code and UCUM}).items() if each is not None}


def write(library: Library) -> None:
    library.put("Organization", "o1", name="Mercy Hospital")
    library.put(
        "Patient",
        "p1",
        text=div("<p>Fracture of the <b>left hip</b>, healing</p>"),
        name=[{"family": "Peterson", "given": ["Ann", "Ada"]}],
        gender="female",
        birthDate="1980-05-17",
        managingOrganization={"reference": "Organization/o1"},
        active=True,
    )
    library.put(
        "Patient",
        "p2",
        text=div("<p>Osteoarthritis of the right hip</p>"),
        name=[{"family": "Smith", "given": ["Peter"]}],
        gender="male",
        birthDate="2015-10-10",
        extension=[{"url": "http://x.example/e", "valueString": "zebrafish, striped"}],
    )
    library.put("Patient", "p3", name=[{"family": "Smith"}], gender="unknown")
    observed(library, "g1", "p1", valueQuantity=amount(2, "g"), effectiveDateTime="2020-01-01")
    observed(library, "g2", "p1", valueQuantity=amount(2000, "mg"), effectiveDateTime="2020-02-01")
    observed(library, "g3", "p2", valueQuantity=amount(3, "kg"), effectiveDateTime="2021-01-01")
    observed(library, "g4", "p2", valueQuantity=amount(1, "g", "<"))
    observed(library, "t1", "p1", loinc="2-6", valueQuantity=amount(37, "Cel"))
    observed(library, "t2", "p2", loinc="2-6", valueQuantity=amount(100, "[degF]"))
    observed(library, "w1", "p2", loinc="3-4", valueQuantity=amount(2, "[weird]"))
    observed(library, "c1", "p1", loinc="3-4", component=[
        {"code": {"text": "a"}, "valueQuantity": amount(120, "mm[Hg]")},
        {"code": {"text": "b"}, "valueQuantity": amount(8, "kPa")},
    ])  # fmt: skip
    library.put("Condition", "d1", code={"text": "hip pain"}, subject=of("p1"), onsetAge=amount(24, "mo"))
    library.put(
        "Encounter",
        "e1",
        status="finished",
        **{"class": {"code": "IMP"}},
        subject=of("p1"),
        length=amount(90, "min"),
    )
    library.put(
        "List", "l1", status="current", mode="working", entry=[{"item": of("p1")}, {"item": of("p3")}]
    )
    library.put(
        "List", "l2", status="current", mode="working", entry=[{"item": {"reference": "Observation/g1"}}]
    )


WORDS = [
    ("Patient", "_text=hip", "p1 p2"),
    ("Patient", "_text=HIP left", "p1"),
    ("Patient", "_text=fracture,osteoarthritis", "p1 p2"),
    ("Patient", "_text=(fracture or osteoarthritis) and right", "p2"),
    ("Patient", "_text=hip and not left", "p2"),
    ("Patient", '_text="left hip"', "p1"),
    ("Patient", '_text="hip left"', ""),
    ("Patient", "_text=osteo*", "p2"),
    ("Patient", "_text=osteo", ""),
    ("Patient", "_text=div", ""),
    ("Patient", "_text=peterson", ""),
    ("Patient", "_text:missing=true", "p3"),
    ("Patient", "_content=peterson", "p1"),
    ("Patient", "_content=zebrafish", "p2"),
    ("Patient", "_content=hip&_content=ada", "p1"),
    ("Patient", "_content=it's*", ""),
    ("Observation", "_content=2000", "g2"),
]
FILTERS = [
    ("Patient", 'name co "ter"', "p1 p2"),
    ("Patient", "given eq peter and birthdate ge 2014-10-10", "p2"),
    ("Patient", "family eq Smith", "p2 p3"),
    ("Patient", "family eq Smit", ""),
    ("Patient", "family sw Smit", "p2 p3"),
    ("Patient", "family ew son", "p1"),
    ("Patient", "family ne Smith", "p1"),
    ("Patient", "gender eq male or gender eq unknown and family eq Peterson", ""),
    ("Patient", "gender eq male or (gender eq unknown and family eq Peterson)", "p2"),
    ("Patient", "not (gender eq male)", "p1 p3"),
    ("Patient", "not (birthdate gt 2000)", "p1 p3"),
    ("Patient", "birthdate pr false", "p3"),
    ("Patient", "birthdate po 1980", "p1"),
    ("Patient", "active eq true", "p1"),
    ("Patient", f"gender in {VALUE_SETS}/administrative-gender", "p1 p2 p3"),
    ("Patient", 'organization.name sw "mercy h"', "p1"),
    ("Patient", "_has:Observation:patient:value-quantity gt 2.5", "p1 p2"),
    ("Patient", "_content co zebrafish", "p2"),
    ("Patient", "_id eq p1 or _id eq p2", "p1 p2"),
    ("Observation", "subject.name co ter and code eq http://loinc.org|2-6", "t1 t2"),
    ("Observation", "subject[gender eq female].family sw pet and date lt 2020-02", "g1"),
    ("Observation", "subject:Patient.gender eq male", "g3 g4 t2 w1"),
    ("Observation", "patient re Patient/p1 and date pr true", "g1 g2"),
    ("Observation", f"value-quantity ge 3|{UCUM}|kg", "g3"),
    ("Observation", f"code-value-quantity eq 1-8$gt2.5|{UCUM}|kg", "g3"),
]
QUANTITIES = [
    (f"value-quantity=2|{UCUM}|g", "g1 g2"),
    (f"value-quantity=2000|{UCUM}|mg", "g1 g2"),
    (f"value-quantity=gt2|{UCUM}|g", "g3"),
    (f"value-quantity=le0.002|{UCUM}|kg", "g1 g2 g4"),
    (f"value-quantity=lt1|{UCUM}|kg", "g1 g2 g4"),
    (f"value-quantity=2|{UCUM}|[weird]", "w1"),
    (f"value-quantity=gt37.5|{UCUM}|Cel", "t2"),
    (f"value-quantity=98.6|{UCUM}|[degF]", "t1"),
    (f"value-quantity=2|{UCUM}|m", ""),
    ("value-quantity=2||g", "g1"),
    ("value-quantity=2", "g1 w1"),
    (f"component-value-quantity=16|{UCUM}|kPa", "c1"),
    (f"combo-value-quantity=ge60|{UCUM}|mm[Hg]", "c1"),
    (f"code-value-quantity=1-8$2|{UCUM}|g", "g1 g2"),
    (f"combo-code-value-quantity=1-8$3000|{UCUM}|g", "g3"),
]


@pytest.mark.parametrize(("type_name", "text", "ids"), WORDS)
def test_words_are_looked_for_in_the_narrative_or_in_all_of_a_resource(
    library: Library, type_name: str, text: str, ids: str
) -> None:
    assert sorted(library.ids(type_name, text)) == ids.split()


@pytest.mark.parametrize(("type_name", "text", "ids"), FILTERS)
def test_a_filter_finds_what_it_says(library: Library, type_name: str, text: str, ids: str) -> None:
    assert sorted(library.ids(type_name, f"_filter={quote(text)}")) == ids.split()


@pytest.mark.parametrize(("text", "ids"), QUANTITIES)
def test_a_quantity_is_found_in_any_unit_of_its_kind(library: Library, text: str, ids: str) -> None:
    assert sorted(library.ids("Observation", text)) == ids.split()


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (f"quantity=2|{UCUM}|g", "s1 s2"),
        (f"quantity=2000|{UCUM}|mg", "s1 s2"),
        (f"quantity=gt0.002|{UCUM}|kg", "s3"),
        ("quantity=2||g", "s1"),
        ("quantity=gt1", "s1 s2 s3"),
        (f"_filter=quantity lt 1|{UCUM}|kg", "s1 s2 s3"),
    ],
)
def test_a_quantity_of_a_type_without_tables_is_found_in_any_unit_too(
    library: Library, text: str, ids: str
) -> None:
    for name, value, unit in (("s1", 2, "g"), ("s2", 2000, "mg"), ("s3", Decimal("2.5"), "g")):
        library.put("Substance", name, code={"text": "salt"}, instance=[{"quantity": amount(value, unit)}])
    assert sorted(library.ids("Substance", text)) == ids.split()


def test_ages_and_lengths_of_stay_are_compared_across_units_too(library: Library) -> None:
    assert library.ids("Condition", f"onset-age=2|{UCUM}|a") == ["d1"]
    assert library.ids("Condition", f"onset-age=gt2|{UCUM}|a") == []
    assert library.ids("Encounter", f"length=1.5|{UCUM}|h") == ["e1"]


def test_quantities_are_sorted_by_what_they_amount_to(library: Library) -> None:
    ids = library.ids("Observation", "code=1-8&_sort=value-quantity,_id")
    assert ids == ["g4", "g1", "g2", "g3"]
    assert library.ids("Observation", "code=1-8&_sort=-value-quantity,-_id") == ids[::-1]


def test_references_and_parameters_of_several_places_sort(library: Library) -> None:
    assert library.ids("Observation", "code=1-8&_sort=-subject,_id") == ["g3", "g4", "g1", "g2"]
    both = library.ids("Observation", "_sort=combo-value-quantity&component-code:missing=false")
    assert both == ["c1"]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (f"gender:in={VALUE_SETS}/administrative-gender", "p1 p2 p3"),
        (f"gender:not-in={VALUE_SETS}/administrative-gender", ""),
        (f"gender:in={VALUE_SETS}/observation-status", ""),
    ],
)
def test_codes_are_looked_for_in_a_value_set(library: Library, text: str, ids: str) -> None:
    assert sorted(library.ids("Patient", text)) == ids.split()


def test_members_of_a_list_are_found(library: Library) -> None:
    assert sorted(library.ids("Patient", "_list=l1")) == ["p1", "p3"]
    assert library.ids("Patient", "_list=l1&gender=female") == ["p1"]
    assert library.ids("Patient", "_list=l2") == []
    assert library.ids("Observation", "_list=List/l2,l1") == ["g1"]


SYSTEM = [
    ("_type=Patient,Condition", "Condition/d1 Patient/p1 Patient/p2 Patient/p3"),
    ("_id=p1,d1,nobody", "Condition/d1 Patient/p1"),
    ("_type=Condition,Encounter&patient=p1", "Condition/d1 Encounter/e1"),
    ("_type=Observation,Condition&patient=p1&code:text=hip", "Condition/d1"),
    ("_type=Observation,Condition&patient.gender=female&_id=g1,g3,d1", "Condition/d1 Observation/g1"),
    ("_content=zebrafish", "Patient/p2"),
    ("_list=l1,l2", "Observation/g1 Patient/p1 Patient/p3"),
    ("_type=Patient,Organization&_filter=_id eq p1 or _id eq o1", "Organization/o1 Patient/p1"),
    ("_type=Patient,Organization&_has:Observation:patient:date=2021", "Patient/p2"),
    ("_type=Patient&family=smith", "Patient/p2 Patient/p3"),
    ("_type=Patient&_sort=family&family=peterson,smith", "Patient/p1 Patient/p2 Patient/p3"),
]


@pytest.mark.parametrize(("text", "names"), SYSTEM)
def test_resources_of_several_types_are_searched_at_once(library: Library, text: str, names: str) -> None:
    bundle = library.bundle("", text)
    listed = [entry["resource"] for entry in bundle.get("entry", [])]
    assert sorted(f"{one['resourceType']}/{one['id']}" for one in listed) == names.split()
    assert bundle["total"] == len(listed)
    assert library.links(bundle)["self"].startswith(text.partition("=")[0])
    assert bundle["link"][0]["url"].startswith(f"{BASE}?")


def test_pages_of_several_types_follow_each_other(library: Library) -> None:
    text = "_type=Patient,Observation&_sort=_lastUpdated&_count=4"
    bundle = library.bundle("", text)
    seen = found(bundle)
    while "next" in library.links(bundle):
        bundle = library.bundle("", library.links(bundle)["next"])
        seen += found(bundle)
    assert seen == library.ids("", "_type=Patient,Observation&_sort=_lastUpdated")
    assert len(seen) == 11


def test_includes_come_along_with_several_types(library: Library) -> None:
    bundle = library.bundle("", "_id=g1,d1&_include=Condition:patient&_include=Patient:organization")
    assert found(bundle, "include") == ["p1"]


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("family=smith", UnknownParameter),
        ("_type=Patient,Condition&family=smith", UnknownParameter),
        ("_type=Unicorn", UnsupportedParameterValue),
        ("_type=Patient&_type=Condition", BadRequest),
        ("_type:not=Patient", BadRequest),
        ("_filter:not=_id eq 1", BadRequest),
    ],
)
def test_what_not_all_types_have_is_refused(library: Library, text: str, refused: type[BadRequest]) -> None:
    with pytest.raises(refused):
        library.bundle("", text)


def test_one_type_cannot_be_narrowed_by_type(library: Library) -> None:
    with pytest.raises(UnknownParameter):
        library.bundle("Patient", "_type=Patient")


def test_words_of_an_older_version_or_a_deleted_resource_are_gone(clean: Store) -> None:
    library = Library(clean)
    library.put("Patient", "p", name=[{"family": "Before"}])
    library.put("Patient", "p", name=[{"family": "After"}])
    assert library.ids("Patient", "_content=before") == []
    assert library.ids("Patient", "_content=after") == ["p"]
    library.put("Patient", "q", name=[{"family": "x" * 3000}, {"family": "short"}])
    assert library.ids("Patient", "_content=short") == ["q"]
