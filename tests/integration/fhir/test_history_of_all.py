"""history of a type and of the system: https://hl7.org/fhir/R4/http.html#history."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.fixtures.server import Fhir, outcome

PLACES = ("Patient/a/_history", "Patient/_history", "_history")


def told(bundle: dict[str, Any]) -> list[str]:
    """Return what the entries of a history are of, as Type/id/version."""
    return [
        entry["fullUrl"].split("/fhir/")[1] + "/" + entry["response"]["etag"].split('"')[1]
        for entry in bundle.get("entry", [])
    ]


def walked(fhir: Fhir, path: str) -> list[str]:
    """Return what all pages of a history have, by their links."""
    found: list[str] = []
    url: str | None = f"{fhir.base}/{path}"
    while url:
        answer = fhir.http.get(url)
        assert answer.status_code == 200, answer.text
        bundle = answer.json()
        found += told(bundle)
        url = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None)
    return found


@pytest.fixture
def four(fhir: Fhir) -> list[dict[str, Any]]:
    """Versions in the order in which they were made: a, b, a again; an encounter's; b is deleted."""
    code = {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"}
    made = [
        fhir.made("Patient", id="a"),
        fhir.made("Patient", id="b"),
        fhir.made("Patient", id="a", gender="male"),
        fhir.made("Encounter", **{"id": "e", "status": "planned", "class": code}),
    ]
    fhir.delete("Patient/b")
    return made


@pytest.mark.usefixtures("four")
def test_histories_have_the_versions_of_all_their_resources_newest_first(fhir: Fhir) -> None:
    of_all = ["Patient/b/2", "Encounter/e/1", "Patient/a/2", "Patient/b/1", "Patient/a/1"]
    assert told(fhir.get("_history").json()) == of_all
    of_type = [name for name in of_all if name.startswith("Patient")]
    found = fhir.get("Patient/_history").json()
    assert (told(found), found["total"], found["type"]) == (of_type, 4, "history")
    gone = found["entry"][0]
    assert (gone["request"]["method"], gone["response"]["status"]) == ("DELETE", "204")
    assert "resource" not in gone
    assert told(fhir.get("Practitioner/_history").json()) == []


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_pages_have_together_what_one_has(fhir: Fhir, place: str, count: int) -> None:
    assert walked(fhir, f"{place}?_count={count}") == told(fhir.get(place).json())


@pytest.mark.usefixtures("four")
def test_what_is_written_while_somebody_pages_disturbs_nothing(fhir: Fhir) -> None:
    before = told(fhir.get("_history").json())
    first = fhir.get("_history?_count=2").json()
    fhir.made("Patient", id="late")
    following = next(link["url"] for link in first["link"] if link["relation"] == "next")
    assert told(first) + told(fhir.http.get(f"{following}&_summary=true").json()) == before[:4]


def test_since_leaves_out_what_is_older(fhir: Fhir, four: list[dict[str, Any]]) -> None:
    stamp = four[2]["meta"]["lastUpdated"]
    assert told(fhir.get(f"_history?_since={stamp}").json()) == [
        "Patient/b/2",
        "Encounter/e/1",
        "Patient/a/2",
    ]
    assert told(fhir.get(f"Patient/a/_history?_since={stamp}").json()) == ["Patient/a/2"]
    assert fhir.get(f"Patient/a/_history?_since={stamp}").json()["total"] == 1
    assert walked(fhir, f"Patient/_history?_since={stamp}&_count=1") == ["Patient/b/2", "Patient/a/2"]
    assert told(fhir.get("_history?_since=2999-01-01T00:00:00Z").json()) == []


def test_at_gives_what_was_current_then(fhir: Fhir, four: list[dict[str, Any]]) -> None:
    def at(path: str, moment: str) -> list[str]:
        return told(fhir.get(f"{path}?_at={moment}").json())

    second, third = four[1]["meta"]["lastUpdated"], four[2]["meta"]["lastUpdated"]
    assert at("_history", second) == ["Patient/b/1", "Patient/a/1"]
    assert at("_history", third) == ["Patient/a/2", "Patient/b/1"]
    assert at("Patient/a/_history", second) == ["Patient/a/1"]
    assert at("_history", "2001-01-01") == []
    assert at("_history", "2999-01-01") == ["Encounter/e/1", "Patient/a/2"]
    assert len(at("_history", four[0]["meta"]["lastUpdated"][:4])) == 5


@pytest.mark.usefixtures("four")
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "query", ["_count=x", "_count=-1", "_since=soon", "_at=soon", "_before=x", "_before=a_b_c", "name=x"]
)
def test_a_parameter_that_cannot_be_used_is_refused(fhir: Fhir, place: str, query: str) -> None:
    issue = outcome(fhir.get(f"{place}?{query}"), 400)
    assert issue["expression"] == [f"http.{query.partition('=')[0]}"]


def test_a_total_is_told_where_it_is_known(fhir: Fhir, four: list[dict[str, Any]]) -> None:
    assert "total" not in fhir.get("_history?_count=2").json()
    assert fhir.get("_history?_count=5").json()["total"] == len(four) + 1
    none = fhir.get("_history?_count=0").json()
    assert (none["total"], "entry" in none) == (len(four) + 1, False)
    assert fhir.get("Patient/a/_history?_count=1").json()["total"] == 2


def test_a_type_that_is_not_known_has_no_history(fhir: Fhir) -> None:
    outcome(fhir.get("Unicorn/_history"), 404, "not-supported")


def test_links_say_what_was_asked(fhir: Fhir) -> None:
    fhir.made("Patient", id="a")
    (link,) = fhir.get("_history?_count=9&_since=2001-01-01T00:00:00%2B01:00").json()["link"]
    assert link["relation"] == "self"
    assert dict(httpx.URL(link["url"]).params) == {"_count": "9", "_since": "2001-01-01T00:00:00+01:00"}
