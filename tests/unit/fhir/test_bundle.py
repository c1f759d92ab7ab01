"""Bundles spliced from stored bytes: https://hl7.org/fhir/R4/bundle.html."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest

from gateway.fhir.bundle import VERSION_AUTHOR, Link, history, searchset
from storage.versions import Stored

BASE = "http://here/fhir"
AT = datetime(2026, 5, 4, 3, 2, 1, 500, tzinfo=UTC)
ID = UUID(int=7)
CONTENT = b'{"resourceType":"Thing","id":"a","value":1.50}'


def stored(
    op: str = "create", version: int = 1, fhir_id: str = "a", content: bytes | None = CONTENT
) -> Stored:
    return Stored(ID, "Thing", fhir_id, version, AT, op, "fhir", None, None, content)


def test_stored_bytes_stand_in_the_bundle_letter_for_letter() -> None:
    made = searchset(BASE, [stored()], [stored(fhir_id="b")], [Link("self", f'{BASE}/Thing?a="b"')], 1)
    assert made.count(CONTENT) == 2
    bundle = msgspec.json.decode(made)
    assert (bundle["type"], bundle["total"]) == ("searchset", 1)
    assert bundle["link"] == [{"relation": "self", "url": f'{BASE}/Thing?a="b"'}]
    assert [entry["search"]["mode"] for entry in bundle["entry"]] == ["match", "include"]
    assert [entry["fullUrl"] for entry in bundle["entry"]] == [f"{BASE}/Thing/a", f"{BASE}/Thing/b"]


def test_a_bundle_has_no_empty_arrays_and_no_total_that_is_not_known() -> None:
    assert searchset(BASE, [], [], [], None) == b'{"resourceType":"Bundle","type":"searchset"}'
    assert msgspec.json.decode(searchset(BASE, [], [], [], 0))["total"] == 0


def test_warnings_come_as_the_last_entry() -> None:
    bundle = msgspec.json.decode(searchset(BASE, [stored()], [], [], 1, {"resourceType": "OperationOutcome"}))
    last = bundle["entry"][-1]
    assert last == {"resource": {"resourceType": "OperationOutcome"}, "search": {"mode": "outcome"}}


@pytest.mark.parametrize(
    ("version", "method", "url", "status"),
    [
        (stored("create", fhir_id=str(ID)), "POST", "Thing", "201"),
        (stored("create"), "PUT", "Thing/a", "201"),
        (stored("create", 3, str(ID)), "PUT", f"Thing/{ID}", "201"),
        (stored("update", 2), "PUT", "Thing/a", "200"),
        (stored("patch", 2), "PATCH", "Thing/a", "200"),
        (stored("delete", 2, content=None), "DELETE", "Thing/a", "204"),
    ],
)
def test_each_version_tells_what_was_asked_and_answered(
    version: Stored, method: str, url: str, status: str
) -> None:
    (entry,) = msgspec.json.decode(history(BASE, [version], [], 1))["entry"]
    assert (entry["request"]["method"], entry["request"]["url"]) == (method, url)
    assert entry["response"] == {
        "status": status,
        "etag": f'W/"{version.version}"',
        "lastModified": "2026-05-04T03:02:01.000500Z",
    }
    assert ("resource" in entry) == (version.content is not None)


def test_a_version_tells_who_made_it_through_which_door_and_by_which_message() -> None:
    message = UUID(int=9)
    version = stored()._replace(origin="hl7v2", actor="jo", message_id=message)
    (entry,) = msgspec.json.decode(history(BASE, [version], [], 1))["entry"]
    (author,) = entry["request"]["extension"]
    assert author["url"] == VERSION_AUTHOR
    assert author["extension"] == [
        {"url": "door", "valueCode": "hl7v2"},
        {"url": "user", "valueString": "jo"},
        {"url": "message", "valueUri": f"urn:uuid:{message}"},
    ]
