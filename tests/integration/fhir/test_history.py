"""history of an instance: https://hl7.org/fhir/R4/http.html#history."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.app import new_id, now
from gateway.records import Caller, Records
from storage import journal
from storage.journal import Arrival
from storage.model.people import AppUser
from storage.session import Store
from storage.trip import Trip
from storage.writer import post_new
from tests.fixtures.server import Fhir, outcome

AUTHOR = "http://suture.example.org/fhir/StructureDefinition/version-author"


def author(entry: dict[str, Any]) -> dict[str, str]:
    """Return what the request of an entry tells of who made the version, by the URL of each part."""
    (found,) = [e for e in entry["request"]["extension"] if e["url"] == AUTHOR]
    return {part["url"]: next(v for k, v in part.items() if k != "url") for part in found["extension"]}


def several(fhir: Fhir, versions: int) -> None:
    for number in range(1, versions + 1):
        fhir.made("Patient", id="p", multipleBirthInteger=number)


def numbers(bundle: dict[str, Any]) -> list[str]:
    return [entry["response"]["etag"] for entry in bundle["entry"]]


def test_a_history_has_every_version_newest_first(fhir: Fhir) -> None:
    first = fhir.made("Patient", id="p")
    fhir.made("Patient", id="p", gender="male")
    fhir.delete("Patient/p")
    fhir.made("Patient", id="p", gender="female")
    bundle = fhir.get("Patient/p/_history").json()
    assert (bundle["type"], bundle["total"]) == ("history", 4)
    assert numbers(bundle) == [f'W/"{n}"' for n in (4, 3, 2, 1)]
    told = [(e["request"]["method"], e["response"]["status"][:3], "resource" in e) for e in bundle["entry"]]
    assert told == [
        ("PUT", "201", True),
        ("DELETE", "204", False),
        ("PUT", "200", True),
        ("PUT", "201", True),
    ]
    assert {e["request"]["url"] for e in bundle["entry"]} == {"Patient/p"}
    assert {e["fullUrl"] for e in bundle["entry"]} == {f"{fhir.base}/Patient/p"}
    assert bundle["entry"][-1]["resource"] == first
    assert bundle["entry"][-1]["response"]["lastModified"] == first["meta"]["lastUpdated"]


def test_a_create_is_told_as_a_post_to_its_type(fhir: Fhir) -> None:
    made = fhir.made("Patient")
    (entry,) = fhir.get(f"Patient/{made['id']}/_history").json()["entry"]
    assert (entry["request"]["method"], entry["request"]["url"]) == ("POST", "Patient")


def test_pages_follow_each_other_to_the_first_version(fhir: Fhir) -> None:
    several(fhir, 5)
    bundle = fhir.get("Patient/p/_history?_count=2").json()
    seen, pages = numbers(bundle), 1
    while url := next((link["url"] for link in bundle["link"] if link["relation"] == "next"), None):
        bundle = fhir.http.get(url).json()
        assert bundle["total"] == 5
        seen += numbers(bundle)
        pages += 1
    assert (seen, pages) == ([f'W/"{n}"' for n in (5, 4, 3, 2, 1)], 3)


def test_a_version_made_while_paging_moves_no_page(fhir: Fhir) -> None:
    several(fhir, 3)
    bundle = fhir.get("Patient/p/_history?_count=2").json()
    fhir.made("Patient", id="p", gender="male")
    url = next(link["url"] for link in bundle["link"] if link["relation"] == "next")
    assert numbers(fhir.http.get(url).json()) == ['W/"1"']


def test_a_count_of_nought_gives_the_total_alone(fhir: Fhir) -> None:
    several(fhir, 3)
    bundle = fhir.get("Patient/p/_history?_count=0").json()
    assert bundle["total"] == 3
    assert "entry" not in bundle


def test_the_history_of_what_never_was_is_not_found(fhir: Fhir) -> None:
    outcome(fhir.get("Patient/nobody/_history"), 404, "not-found")


@pytest.mark.parametrize("query", ["_count=x", "_count=-1", "_since=yesterday", "name=x", "_before=x"])
def test_a_parameter_that_a_history_has_not_is_refused(fhir: Fhir, query: str) -> None:
    fhir.made("Patient", id="p")
    issue = outcome(fhir.get(f"Patient/p/_history?{query}"), 400)
    assert issue["expression"] == [f"http.{query.partition('=')[0]}"]


def test_a_history_tells_through_which_door_and_by_whom_a_version_came(fhir: Fhir, store: Store) -> None:
    user = AppUser.blank() | {
        "id": new_id(),
        "username": "drho",
        "full_name": "Dr. Ho",
        "role": "orderer",
        "is_active": True,
        "created_at": now(),
        "updated_at": now(),
    }
    arrival = Arrival(new_id(), b"MSH|", now(), "127.0.0.1:1", {})
    with store.connection() as connection:
        trip = Trip(connection)
        post_new(trip, "app_user", [user], b" ON CONFLICT DO NOTHING")
        trip.make()
        journal.enter(connection, arrival)
    records = Records(store, now, new_id)
    value: dict[str, Any] = {"resourceType": "Patient", "id": "p"}
    fhir.put("Patient/p", value | {"gender": "male"})
    fhir.put("Patient/p", value | {"gender": "other"}, x_user="drho")
    records.update(Caller("hl7v2", None, arrival.id), "Patient", "p", value | {"gender": "female"})
    records.update(Caller("rest", "drho"), "Patient", "p", value | {"gender": "unknown"})
    fhir.delete("Patient/p", x_user="drho")
    told = [author(entry) for entry in fhir.get("Patient/p/_history").json()["entry"]]
    assert told == [
        {"door": "fhir", "user": "drho"},
        {"door": "rest", "user": "drho"},
        {"door": "hl7v2", "user": "system", "message": f"urn:uuid:{arrival.id}"},
        {"door": "fhir", "user": "drho"},
        {"door": "fhir", "user": "system"},
    ]
