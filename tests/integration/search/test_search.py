from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from gateway.errors import BadRequest, UnsupportedParameterValue, UnsupportedType
from gateway.fhir import search as door
from gateway.fhir.params import parse
from gateway.fhir.query_string import pairs
from gateway.fhir.search_values import Context
from mappings.resources import REGISTRY
from storage.search import page
from storage.search.bind import bind
from storage.search.query import Condition
from storage.session import Store
from tests.fixtures.library import BASE, CALLER, START, Library, found

MR = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "MR"}]}
UCUM = "http://unitsofmeasure.org"
LOINC = "http://loinc.org"


def observation(code: str, **elements: Any) -> dict[str, Any]:
    coding = {"system": LOINC, "code": code, "display": f"Test No. {code}"}
    return {"status": "final", "code": {"coding": [coding]}, **elements}


def write(library: Library) -> None:
    library.put("Organization", "o1", name="Mercy Hospital", alias=["St. Mary"])
    library.put("Organization", "o2", name="City Clinic", partOf={"reference": "Organization/o1"})
    library.put(
        "Patient",
        "p1",
        name=[{"family": "O'Brien", "given": ["Zoë", "Ann"], "text": "Zoë Ann O'Brien"}],
        identifier=[{"system": "urn:a", "value": "1", "type": MR}, {"value": "loose"}],
        telecom=[{"system": "phone", "value": "+1 (555) 010"}, {"system": "email", "value": "Zoe@X.org"}],
        address=[{"use": "home", "line": ["1 High Street"], "city": "São Paulo", "country": "BR"}],
        gender="female",
        birthDate="1980-05-17",
        active=True,
        managingOrganization={"reference": "Organization/o1"},
        communication=[{"language": {"coding": [{"code": "pt"}], "text": "Portuguese"}}],
        meta={
            "tag": [{"system": "urn:t", "code": "vip"}],
            "profile": ["http://x/profile|2"],
            "source": "urn:s:1",
        },
    )
    library.put(
        "Patient",
        "p2",
        name=[{"family": "Smith", "given": ["Sean"]}],
        identifier=[{"system": "urn:b", "value": "1"}],
        gender="male",
        birthDate="1980",
        deceasedDateTime="2020-01-01",
        generalPractitioner=[{"display": "Dr. Who"}],
    )
    library.put(
        "Patient",
        "p3",
        active=False,
        deceasedBoolean=False,
        managingOrganization={"reference": "Organization/o2"},
    )
    for place, (patient, value) in enumerate((("p1", "5.4"), ("p1", "7.25"), ("p2", "5.44"))):
        library.put(
            "Observation",
            f"q{place}",
            **observation("1-8", subject={"reference": f"Patient/{patient}"}),
            valueQuantity={"value": Decimal(value), "unit": "mg", "system": UCUM, "code": "mg"},
            effectiveDateTime=f"2020-0{place + 1}-10T10:00:00Z",
        )
    ticking = {"effectivePeriod": {"start": "2021-01-01", "end": "2021-03-31"}}
    library.put("Observation", "s1", **observation("2-9", valueString="Clear, light yellow"), **ticking)
    library.put(
        "Observation", "i1", **observation("3-7", valueInteger=6), subject={"reference": "Patient/away"}
    )
    gone = {"subject": {"identifier": {"system": "urn:a", "value": "77"}}}
    library.put("Observation", "n1", status="final", code={"text": "Glucose, fasting"}, **gone)
    library.put("Observation", "u1", **observation("4-5"), subject={"reference": "http://far/Patient/1"})
    both = [{"reference": "Organization/o1"}, {"reference": "Patient/p2"}]
    library.put("Observation", "x1", **observation("9-9", performer=both, focus=both[1:]))
    library.put(
        "DiagnosticReport",
        "d1",
        status="final",
        code={"text": "panel"},
        result=[{"reference": "Observation/q0"}, {"reference": "Observation/s1"}],
    )


MATCHES = [
    # How a text may be asked for.
    ("Patient", "family=obr", "p1"),
    ("Patient", "family=brien", ""),
    ("Patient", "family:contains=brien", "p1"),
    ("Patient", "family:exact=O'Brien", "p1"),
    ("Patient", "family:exact=o'brien", ""),
    ("Patient", "family:exact=O'Brie", ""),
    ("Patient", "family=O'BRIEN,smi", "p1 p2"),
    ("Patient", "given=zoe&given=ann", "p1"),
    ("Patient", "name=zoe ann", "p1"),
    ("Patient", "name=%25", ""),
    ("Patient", "name:contains=%25", ""),
    ("Patient", "phonetic=Shawn", "p2"),
    ("Patient", "address-city=sao", "p1"),
    ("Patient", "address=igh", ""),
    ("Patient", "address=1 high", "p1"),
    ("Patient", "address=sao", "p1"),
    ("Patient", "family:missing=true", "p3"),
    ("Patient", "family:missing=false", "p1 p2"),
    ("Organization", "name=st mary", "o1"),
    ("Organization", "phonetic=siti", ""),
    ("Observation", "value-string=clear", "s1"),
    # How a code may be asked for.
    ("Patient", "identifier=1", "p1 p2"),
    ("Patient", "identifier=urn:a|1", "p1"),
    ("Patient", "identifier=|loose", "p1"),
    ("Patient", "identifier=|1", ""),
    ("Patient", "identifier=urn:b|", "p2"),
    ("Patient", "identifier:not=urn:a|1", "p2 p3"),
    ("Patient", "identifier:missing=true", "p3"),
    ("Patient", "identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR|1", "p1"),
    ("Patient", "identifier:of-type=http://terminology.hl7.org/CodeSystem/v2-0203|MR|loose", ""),
    ("Patient", "gender=male,female", "p1 p2"),
    ("Patient", "gender:not=male", "p1 p3"),
    ("Patient", "gender=http://hl7.org/fhir/administrative-gender|male", "p2"),
    ("Patient", "gender=urn:x|male", ""),
    ("Patient", "gender=http://hl7.org/fhir/administrative-gender|", "p1 p2"),
    ("Patient", "gender=http://hl7.org/fhir/administrative-gender|,nothing", "p1 p2"),
    ("Patient", "gender:not=http://hl7.org/fhir/administrative-gender|", "p3"),
    ("Patient", "_contained=false&gender=male", "p2"),
    ("Patient", "active=true", "p1"),
    ("Patient", "active:not=true", "p2 p3"),
    ("Patient", "active=true,false", "p1 p3"),
    ("Patient", "active:missing=true", "p2"),
    ("Patient", "deceased=true", "p2"),
    ("Patient", "deceased=false", "p1 p3"),
    ("Patient", "phone=1555010", "p1"),
    ("Patient", "phone=%2B1-555-010", "p1"),
    ("Patient", "email=zoe@x.org", "p1"),
    ("Patient", "email=1555010", ""),
    ("Patient", "telecom=email|ZOE@x.org", "p1"),
    ("Patient", "address-use=home", "p1"),
    ("Patient", "language=pt", "p1"),
    ("Patient", "language:text=portu", "p1"),
    ("Patient", "_tag=vip", "p1"),
    ("Patient", "_tag=urn:t|vip", "p1"),
    ("Patient", "_tag:not=vip", "p2 p3"),
    ("Patient", "_id=p1,p3", "p1 p3"),
    ("Observation", "code=1-8", "q0 q1 q2"),
    ("Observation", f"code={LOINC}|1-8,{LOINC}|2-9", "q0 q1 q2 s1"),
    ("Observation", "code:not=1-8,2-9", "i1 n1 u1 x1"),
    ("Observation", "code:missing=true", ""),
    ("Observation", "code:text=gluc", "n1"),
    ("Observation", "code:text=test no 2", "s1"),
    ("Observation", "status=final&code=2-9", "s1"),
    # How a URI may be asked for.
    ("Patient", "_profile=http://x/profile", "p1"),
    ("Patient", "_profile=http://x/profile|2", "p1"),
    ("Patient", "_profile=http://x/profile|3", ""),
    ("Patient", "_profile=http://x/prof", ""),
    ("Patient", "_profile:below=http://x/", "p1"),
    ("Patient", "_source=urn:s:1", "p1"),
    ("Patient", "_source=urn:s", ""),
    # How a number may be asked for.
    ("Observation", "value-quantity=5.4", "q0 q2"),
    ("Observation", "value-quantity=5.40", "q0"),
    ("Observation", "value-quantity=ne5.40", "q1 q2"),
    ("Observation", "value-quantity=gt5.4", "q1 q2"),
    ("Observation", "value-quantity=ge5.4", "q0 q1 q2"),
    ("Observation", "value-quantity=lt5.44", "q0"),
    ("Observation", "value-quantity=6", ""),
    ("Observation", "value-quantity=lt1e999", "q0 q1 q2"),
    ("Observation", f"value-quantity={'9' * 100}.5", ""),
    ("Observation", "value-quantity=ap7", "q1"),
    ("Observation", f"value-quantity=gt1|{UCUM}|mg", "q0 q1 q2"),
    ("Observation", "value-quantity=gt1||mg", "q0 q1 q2"),
    ("Observation", f"value-quantity=gt1|{UCUM}|g", ""),
    # How a reference may be asked for.
    ("Observation", "subject=Patient/p1", "q0 q1"),
    ("Observation", "subject=p1", "q0 q1"),
    ("Observation", "subject:Patient=p1", "q0 q1"),
    ("Observation", "subject:Group=p1", ""),
    ("Observation", f"subject={BASE}/Patient/p1", "q0 q1"),
    ("Observation", "patient=p1,p2", "q0 q1 q2"),
    ("Observation", "patient=away", "i1"),
    ("Observation", "patient=away,p2", "i1 q2"),
    ("Observation", "patient=nobody", ""),
    ("Observation", "subject=http://far/Patient/1", "u1"),
    ("Observation", "subject:identifier=urn:a|77", "n1"),
    ("Observation", "subject:identifier=77", "n1"),
    ("Observation", "patient:identifier=urn:a|77", "n1"),
    ("Observation", "subject:missing=true", "s1 x1"),
    ("Observation", "patient=p1&code=1-8&date=2020-02", "q1"),
    ("Patient", "general-practitioner:missing=false", "p2"),
    # Along references, and back.
    ("Observation", "patient.family=smith", "q2"),
    ("Observation", "subject:Patient.organization.name=mercy", "q0 q1"),
    ("Observation", "patient.gender:not=male", "q0 q1"),
    ("Observation", "subject.name=smith", "q2"),
    ("Observation", "subject.family=smith", "q2"),
    ("Observation", "subject.identifier=urn:a|1,x", "q0 q1"),
    ("Observation", "subject.organization.name=mercy", "q0 q1"),
    ("Observation", "focus.family=smith", "x1"),
    ("Observation", "focus.family=mercy", ""),
    ("Observation", "performer.name=mercy", "x1"),
    ("Observation", "performer.identifier=urn:b|1", "x1"),
    ("Observation", "performer:Patient.name=smith", "x1"),
    ("Observation", "performer:Organization.name=smith", ""),
    ("Observation", "performer.name=mercy,smith", "x1"),
    ("Patient", "_has:Observation:patient:value-quantity=gt7", "p1"),
    ("Patient", "_has:Observation:patient:_has:DiagnosticReport:result:status=final", "p1"),
    ("Organization", "_has:Observation:performer:code=9-9", "o1"),
    ("Organization", "_has:Patient:organization:_has:Observation:patient:code=1-8", "o1"),
]


@pytest.mark.parametrize(("type_name", "text", "ids"), MATCHES)
def test_a_search_finds_what_it_asks_for(library: Library, type_name: str, text: str, ids: str) -> None:
    assert sorted(library.ids(type_name, text)) == ids.split()


def bound_targets(library: Library, text: str) -> list[str]:
    context = Context(START, BASE)
    query = parse(REGISTRY["Observation"], pairs(text), context).query
    with library.records.store.connection() as connection:
        bound = bind(connection, query)
    return [type(asked.targets[0]).__name__ for asked in bound.conditions if isinstance(asked, Condition)]


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("patient=p1", ["Linked"]),
        ("subject=Patient/p1,Patient/p2&code=1-8", ["Linked", "Coded"]),
        ("patient=p1,away", ["Refers"]),
        ("subject=p1", ["Refers"]),
        ("subject=Group/p1", ["Refers"]),
        ("patient:missing=false", ["Refers"]),
        ("performer=Patient/p1", ["Refers"]),
    ],
)
def test_a_reference_is_looked_for_by_foreign_key_where_it_can_be(
    library: Library, text: str, kinds: list[str]
) -> None:
    assert bound_targets(library, text) == kinds


def test_newest_come_first_unless_another_order_is_asked_for(library: Library) -> None:
    assert library.ids("Patient") == ["p3", "p2", "p1"]
    assert library.ids("Patient", "_sort=_id") == ["p1", "p2", "p3"]
    assert library.ids("Patient", "_sort=family") == ["p1", "p2", "p3"]
    assert library.ids("Patient", "_sort=-family") == ["p2", "p1", "p3"]
    assert library.ids("Patient", "_sort=gender,-_id") == ["p1", "p2", "p3"]
    assert library.ids("Observation", "_sort=-date,_id")[:4] == ["s1", "q2", "q1", "q0"]


def test_the_total_is_told_where_it_is_known_or_asked_for(library: Library) -> None:
    assert library.bundle("Patient", "gender=male")["total"] == 1
    assert "total" not in library.bundle("Patient", "_count=2")
    assert library.bundle("Patient", "_count=3")["total"] == 3
    assert library.bundle("Patient", "_count=2&_total=accurate")["total"] == 3
    # An estimate is not less than what the page shows.
    for asked in ("", "_id=p1,p2,p3", "name:contains=e,a,i", "gender:not=other", "_lastUpdated=gt2000"):
        assert library.bundle("Patient", f"_count=1&_total=estimate&{asked}")["total"] >= 2
    only = library.bundle("Patient", "_summary=count&gender=male")
    assert only["total"] == 1
    assert "entry" not in only


def test_the_self_link_tells_what_was_used(library: Library) -> None:
    text = "famly=x&gender=male&given=&_count=2000"
    bundle = library.bundle("Patient", text, prefer="respond-async; handling=lenient")
    assert library.links(bundle) == {"self": "gender=male&_count=1000"}
    (outcome,) = [entry for entry in bundle["entry"] if entry["search"]["mode"] == "outcome"]
    assert "famly" in outcome["resource"]["issue"][0]["diagnostics"]
    assert outcome["resource"]["issue"][0]["severity"] == "warning"


def test_entries_carry_the_stored_resource_and_its_url(library: Library) -> None:
    (entry,) = library.bundle("Patient", "_id=p2")["entry"]
    assert entry["fullUrl"] == f"{BASE}/Patient/p2"
    assert entry["resource"]["name"][0]["family"] == "Smith"
    assert entry["search"] == {"mode": "match"}


INCLUDES = [
    ("Observation", "_id=q0&_include=Observation:subject", "p1"),
    ("Observation", "_include=Observation:patient", "p1 p2"),
    ("Observation", "_id=q0&_include=Observation:subject:Group", ""),
    ("Observation", "_id=q0&_include=DiagnosticReport:result", ""),
    ("Observation", "_id=q0&_include=Observation:subject&_include=Patient:organization", "p1"),
    ("Observation", "_id=q0&_include=Observation:subject&_include:iterate=Patient:organization", "o1 p1"),
    ("Organization", "_id=o2&_include:iterate=Organization:partof", "o1"),
    ("Organization", "_id=o1&_include=Organization:partof&_revinclude=Patient:organization", "p1"),
    ("Patient", "_id=p1&_revinclude=Observation:patient", "q0 q1"),
    (
        "Patient",
        "_id=p1&_revinclude=Observation:patient&_revinclude:iterate=DiagnosticReport:result",
        "d1 q0 q1",
    ),
    ("DiagnosticReport", "_include=DiagnosticReport:*", "q0 s1"),
    ("DiagnosticReport", "_include=*", "q0 s1"),
    ("DiagnosticReport", "_include=DiagnosticReport:*:Patient", ""),
    ("DiagnosticReport", "_include:iterate=*", "o1 p1 q0 s1"),
    ("DiagnosticReport", "_include=*&_include:iterate=Observation:*:Patient", "p1 q0 s1"),
    ("Patient", "_id=p1&_revinclude=*", "q0 q1"),
    ("Patient", "_id=p1&_revinclude=Observation:*", "q0 q1"),
    ("Patient", "_id=p1&_revinclude=DiagnosticReport:*", ""),
    ("Patient", "_id=p1&_revinclude:iterate=*", "d1 q0 q1"),
    ("Organization", "_id=o1&_revinclude:iterate=*", "d1 o2 p1 p3 q0 q1 x1"),
    ("Patient", "_id=p3&_include:iterate=*&_revinclude:iterate=*", "d1 o1 o2 p1 p2 q0 q1 q2 s1 x1"),
]


@pytest.mark.parametrize(("type_name", "text", "ids"), INCLUDES)
def test_includes_come_along_once_and_do_not_count(
    library: Library, type_name: str, text: str, ids: str
) -> None:
    bundle = library.bundle(type_name, text)
    assert sorted(found(bundle, "include")) == ids.split()
    assert bundle["total"] == len(found(bundle))


def test_pages_that_are_too_full_of_includes_are_refused(
    library: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("storage.search.include.MOST", 1)
    with pytest.raises(BadRequest):
        library.bundle("Patient", "_id=p1&_revinclude=Observation:patient")


@pytest.mark.parametrize(
    "text",
    [
        "subject.famly=x",
        "subject.=x",
        "code.name=x",
        "focus.identifier=x",
        "based-on.based-on.based-on.subject.name=x",
        "subject:Unicorn.name=x",
        "subject.gender:below=male",
        "_include=Observation",
        "_include=*:subject",
        "_include=Unicorn:subject",
        "_include=Observation:subject:Unicorn",
        "_include=Observation:subject:Patient:more",
        "_include=Observation:code",
        "_revinclude:recurse=*",
        "_totalMethod=estimate",
        "_contained=both",
        "_containedType=neither",
    ],
)
def test_a_chain_or_include_that_leads_nowhere_is_refused(library: Library, text: str) -> None:
    with pytest.raises(BadRequest) as refused:
        library.bundle("Observation", text)
    first = text.partition("=")[0].partition(":")[0].partition(".")[0]
    assert refused.value.issues[0].expression == f"http.{first}"


def test_a_cursor_of_another_search_is_refused(library: Library) -> None:
    text = library.links(library.bundle("Patient", "_count=1"))["next"]
    with pytest.raises(UnsupportedParameterValue):
        library.bundle("Patient", text + "&_sort=family")
    with pytest.raises(UnsupportedParameterValue):
        library.bundle("Observation", text)


def test_an_unknown_type_is_refused(library: Library) -> None:
    with pytest.raises(UnsupportedType):
        library.bundle("Unicorn")


def test_all_processes_sign_with_the_key_that_the_first_one_stored(clean: Store) -> None:
    with clean.connection() as connection:
        page._KEYS.clear()
        made = page.signing_key(connection)
        page._KEYS.clear()
        assert page.signing_key(connection) == made
        assert connection.execute(
            "SELECT value FROM site_setting WHERE name = %s", [page.SETTING]
        ).fetchall() == [(made,)]


def test_a_deleted_resource_is_neither_found_nor_included_nor_followed(clean: Store) -> None:
    library = Library(clean)
    library.put("Patient", "p", name=[{"family": "Gone"}])
    library.put("Observation", "o", **observation("1-8", subject={"reference": "Patient/p"}))
    library.records.delete(CALLER, "Observation", "o")
    assert library.ids("Observation", "patient=p") == []
    assert library.ids("Patient", "_has:Observation:patient:code=1-8") == []
    assert found(library.bundle("Patient", "_revinclude=Observation:patient"), "include") == []


def test_a_change_is_found_at_once_and_what_it_replaced_no_more(clean: Store) -> None:
    library = Library(clean)
    library.put("Patient", "p", name=[{"family": "Before"}], telecom=[{"system": "phone", "value": "1"}])
    library.put("Patient", "p", name=[{"family": "After"}], telecom=[{"system": "phone", "value": "2"}])
    assert library.ids("Patient", "family=before") == library.ids("Patient", "phone=1") == []
    assert library.ids("Patient", "family=after&phone=2") == ["p"]


def test_lenient_handling_is_asked_for_in_the_prefer_header() -> None:
    assert door.is_lenient("return=minimal, handling=lenient")
    assert not door.is_lenient("handling=strict")
