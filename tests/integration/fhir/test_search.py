"""search by GET and by POST: https://hl7.org/fhir/R4/http.html#search and https://hl7.org/fhir/R4/search.html."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.fixtures.server import Fhir, outcome

FORM = "application/x-www-form-urlencoded"


def fill(fhir: Fhir) -> None:
    fhir.made("Organization", id="o", name="Mercy")
    for number, family in enumerate(("Abel", "Berg", "Cruz", "Diaz", "Ek"), 1):
        about = {"managingOrganization": {"reference": "Organization/o"}}
        fhir.made(
            "Patient", id=f"p{number}", name=[{"family": family}], birthDate=f"198{number}-05-06", **about
        )
        subject = {"subject": {"reference": f"Patient/p{number}"}}
        fhir.made("Observation", id=f"q{number}", status="final", code={"text": "x"}, **subject)


def by_post(fhir: Fhir, path: str, form: str) -> httpx.Response:
    return fhir.ask("POST", path, form.encode(), content_type=FORM)


def ids(bundle: dict[str, Any], mode: str = "match") -> list[str]:
    return [entry["resource"]["id"] for entry in bundle.get("entry", []) if entry["search"]["mode"] == mode]


def link(bundle: dict[str, Any], relation: str) -> str | None:
    return next((found["url"] for found in bundle["link"] if found["relation"] == relation), None)


def test_a_search_gives_a_searchset_of_what_is_stored(fhir: Fhir) -> None:
    fill(fhir)
    answer = fhir.get("Patient?family=berg")
    assert answer.headers["content-type"] == "application/fhir+json; charset=utf-8"
    bundle = answer.json()
    (entry,) = bundle["entry"]
    assert (bundle["resourceType"], bundle["type"], bundle["total"]) == ("Bundle", "searchset", 1)
    assert entry["fullUrl"] == f"{fhir.base}/Patient/p2"
    assert entry["resource"] == fhir.get("Patient/p2").json()
    assert link(bundle, "self") == f"{fhir.base}/Patient?family=berg"


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("Patient", ""),
        ("Patient", "family=berg,cruz&_sort=-birthdate"),
        ("Patient", "birthdate=ge1982&_count=2&_total=accurate"),
        ("Patient", "name:contains=e&_revinclude=Observation:patient"),
        ("Observation", "patient.family=abel&_include=Observation:subject"),
        ("Patient", "family=S%C3%B8rensen%20%26%20co"),
    ],
)
def test_get_and_post_answer_alike(fhir: Fhir, path: str, query: str) -> None:
    fill(fhir)
    by_get = fhir.get(f"{path}?{query}").content
    assert by_post(fhir, f"{path}/_search", query).content == by_get
    assert by_post(fhir, f"{path}/_search?{query}", "").content == by_get
    first, _, rest = query.partition("&")
    assert by_post(fhir, f"{path}/_search?{first}", rest).content == by_get


def test_a_search_by_post_wants_a_form(fhir: Fhir) -> None:
    outcome(fhir.ask("POST", "Patient/_search", b"{}", content_type="application/json"), 415)


def test_a_faulty_search_is_refused_alike_by_get_and_by_post(fhir: Fhir) -> None:
    for query in ("unicorn=1", "birthdate=yesterday", "family:sideways=x", "_sort=unicorn", "_count=many"):
        by_get = fhir.get(f"Patient?{query}")
        issue = outcome(by_get, 400)
        assert issue["expression"] == [f"http.{query.partition('=')[0].partition(':')[0]}"] or ":" in query
        assert by_post(fhir, "Patient/_search", query).content == by_get.content


def test_references_are_followed_both_ways(fhir: Fhir) -> None:
    fill(fhir)
    bundle = fhir.get(
        "Observation?_id=q1&_include=Observation:subject&_include:iterate=Patient:organization"
    ).json()
    assert (ids(bundle), sorted(ids(bundle, "include"))) == (["q1"], ["o", "p1"])
    back = fhir.get("Organization?_id=o&_revinclude=Patient:organization").json()
    assert sorted(ids(back, "include")) == ["p1", "p2", "p3", "p4", "p5"]
    assert back["total"] == 1


def test_the_order_is_the_one_asked_for(fhir: Fhir) -> None:
    fill(fhir)
    assert ids(fhir.get("Patient?_sort=family").json()) == ["p1", "p2", "p3", "p4", "p5"]
    assert ids(fhir.get("Patient?_sort=-birthdate").json()) == ["p5", "p4", "p3", "p2", "p1"]


@pytest.mark.parametrize("order", ["_sort=family", "_sort=-birthdate,_id", "_sort=-_lastUpdated", ""])
def test_pages_lead_to_the_end_and_back(fhir: Fhir, order: str) -> None:
    fill(fhir)
    whole = ids(fhir.get(f"Patient?{order}").json())
    url: str | None = f"{fhir.base}/Patient?_count=2&{order}"
    pages: list[list[str]] = []
    bundle: dict[str, Any] = {}
    while url:
        bundle = fhir.http.get(url).json()
        pages.append(ids(bundle))
        url = link(bundle, "next")
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [name for page in pages for name in page] == whole
    back = fhir.http.get(link(bundle, "previous") or "").json()
    assert ids(back) == pages[1]
    assert ids(fhir.http.get(link(back, "first") or "").json()) == pages[0]


def test_what_is_written_while_paging_repeats_and_skips_nothing(fhir: Fhir) -> None:
    fill(fhir)
    bundle = fhir.get("Patient?_count=2&_sort=family").json()
    fhir.made("Patient", id="new", name=[{"family": "Aaron"}])
    fhir.made("Patient", id="p2", name=[{"family": "Berg"}], gender="male")
    assert ids(fhir.http.get(link(bundle, "next") or "").json()) == ["p3", "p4"]


def test_a_search_reads_what_was_just_written(fhir: Fhir) -> None:
    for number in range(5):
        fhir.made("Patient", id="p", name=[{"family": f"Name{number}"}])
        assert ids(fhir.get(f"Patient?family=name{number}").json()) == ["p"]
        assert ids(fhir.get(f"Patient?family=name{number - 1}").json()) == []


def test_a_page_may_hold_nothing_but_the_total(fhir: Fhir) -> None:
    fill(fhir)
    for query in ("_summary=count", "_count=0"):
        bundle = fhir.get(f"Patient?{query}").json()
        assert bundle["total"] == 5
        assert "entry" not in bundle


def test_lenient_handling_ignores_what_is_not_known_and_says_so(fhir: Fhir) -> None:
    fill(fhir)
    bundle = fhir.get("Patient?unicorn=1&family=berg", prefer="handling=lenient").json()
    assert ids(bundle) == ["p2"]
    (warning,) = [entry["resource"] for entry in bundle["entry"] if entry["search"]["mode"] == "outcome"]
    assert "unicorn" in warning["issue"][0]["diagnostics"]
    assert "unicorn" not in (link(bundle, "self") or "")


@pytest.mark.parametrize(
    "query",
    [
        "_cursor=nonsense",
        "_cursor=" + "A" * 4000,
        "family=" + "%00",
        "family=%ff",
        "_id=" + ",".join(["x"] * 2000),
        "birthdate=0000-00-00",
        "birthdate=ge99999",
        "_include=Patient",
        "_include=*:*",
        "_has:Observation:patient",
        "_has:Unicorn:patient:code=x",
        "general-practitioner:Unicorn=x",
        "&".join(f"_tag={n}" for n in range(1100)),
        "_lastUpdated=gt9999-12-31T23:59:59.9999999999Z",
        "_lastUpdated=lt0001-01-01",
        "phonetic=" + "x" * 6000,
        "organization.partof.partof.partof.partof.partof.name=x",
        "_sort=" + "-" * 50,
    ],
)
def test_a_strange_search_is_answered_or_refused_but_no_fault_of_ours(fhir: Fhir, query: str) -> None:
    answer = by_post(fhir, "Patient/_search", query)
    assert answer.status_code in (200, 400), answer.text
    assert answer.json()["resourceType"] in ("Bundle", "OperationOutcome")
