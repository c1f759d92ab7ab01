"""What HTTP brings along: HEAD, conditional read, compression, pages of other origins.

https://hl7.org/fhir/R4/http.html#cread and https://hl7.org/fhir/R4/http.html#head
"""

from __future__ import annotations

import gzip
from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime

import pytest

from tests.fixtures.server import PAGE, Fhir, outcome


@pytest.mark.parametrize(
    "path", ["metadata", "Patient/p", "Patient/p/_history/1", "Patient/p/_history", "Patient", "_history"]
)
def test_head_answers_as_get_without_a_body(fhir: Fhir, path: str) -> None:
    fhir.made("Patient", id="p")
    got, head = fhir.get(path), fhir.ask("HEAD", path)
    assert (head.status_code, head.content) == (200, b"")
    for header in ("content-type", "etag", "last-modified", "content-length"):
        assert head.headers.get(header) == got.headers.get(header)


def test_head_tells_what_is_not_there(fhir: Fhir) -> None:
    assert fhir.ask("HEAD", "Patient/nobody").status_code == 404
    fhir.made("Patient", id="p")
    fhir.delete("Patient/p")
    assert fhir.ask("HEAD", "Patient/p").status_code == 410


@pytest.mark.parametrize(
    ("known", "status"),
    [
        ('W/"1"', 304),
        ('"1"', 304),
        ("1", 304),
        ('W/"7", W/"1"', 304),
        ("*", 304),
        ('W/"2"', 200),
        ('W/"11"', 200),
        ("", 200),
    ],
)
@pytest.mark.parametrize("path", ["Patient/p", "Patient/p/_history/1"])
def test_a_version_that_is_known_is_not_sent_again(fhir: Fhir, path: str, known: str, status: int) -> None:
    fhir.made("Patient", id="p")
    answer = fhir.get(path, if_none_match=known)
    assert (answer.status_code, not answer.content) == (status, status == 304)
    assert answer.headers["etag"] == 'W/"1"'
    assert "last-modified" in answer.headers


def test_what_did_not_change_since_is_not_sent_again(fhir: Fhir) -> None:
    fhir.made("Patient", id="p")
    stamp = fhir.get("Patient/p").headers["last-modified"]
    before = format_datetime(parsedate_to_datetime(stamp) - timedelta(seconds=1), usegmt=True)
    assert fhir.get("Patient/p", if_modified_since=stamp).status_code == 304
    assert fhir.get("Patient/p", if_modified_since=before).status_code == 200
    assert fhir.get("Patient/p", if_modified_since="yesterday").status_code == 200
    other = fhir.get("Patient/p", if_modified_since=stamp, if_none_match='W/"9"')
    assert other.status_code == 200


def test_a_changed_resource_is_sent(fhir: Fhir) -> None:
    fhir.made("Patient", id="p")
    tag = fhir.get("Patient/p").headers["etag"]
    fhir.made("Patient", id="p", gender="male")
    assert fhir.get("Patient/p", if_none_match=tag).json()["gender"] == "male"
    fhir.delete("Patient/p")
    outcome(fhir.get("Patient/p", if_none_match='W/"2"'), 410)


def test_a_large_answer_is_compressed_for_who_accepts_it(fhir: Fhir) -> None:
    fhir.made("Patient", id="p", name=[{"text": "x" * 5000}])
    plain = fhir.get("Patient/p", accept_encoding="identity")
    assert "content-encoding" not in plain.headers
    with fhir.http.stream("GET", f"{fhir.base}/Patient/p", headers={"accept-encoding": "gzip"}) as packed:
        raw = b"".join(packed.iter_raw())
        assert packed.headers["content-encoding"] == "gzip"
        assert "accept-encoding" in packed.headers["vary"].lower()
    assert gzip.decompress(raw) == plain.content
    assert len(raw) < 1000
    fhir.made("Patient", id="q")
    assert "content-encoding" not in fhir.get("Patient/q", accept_encoding="gzip").headers


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip", True),
        ("GZIP", True),
        ("br, gzip;q=0.5", True),
        ("*", True),
        ("br, *;q=0.1", True),
        ("", False),
        ("br", False),
        ("identity", False),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("gzip; q=0.0, identity", False),
        ("*;q=0", False),
        ("gzip;q=x", False),
        ("notgzip", False),
    ],
)
def test_only_what_is_accepted_is_compressed(fhir: Fhir, accepted: str, packed: bool) -> None:
    fhir.made("Patient", id="p", name=[{"text": "x" * 5000}])
    answer = fhir.get("Patient/p", accept_encoding=accepted)
    assert answer.headers.get("content-encoding") == ("gzip" if packed else None)
    assert answer.json()["id"] == "p"


def test_each_answer_tells_what_it_varies_with(fhir: Fhir) -> None:
    fhir.made("Patient", id="p", name=[{"text": "x" * 5000}])
    tag = fhir.get("Patient/p").headers["etag"]
    for answer in (
        fhir.get("Patient/p"),
        fhir.get("Patient/p", origin=PAGE, accept_encoding="gzip"),
        fhir.get("Patient/p", origin=PAGE, if_none_match=tag),
        fhir.get("Patient/nobody", accept_encoding="identity"),
        fhir.get("metadata", accept="application/fhir+xml"),
    ):
        assert answer.headers["vary"] == "Accept, Accept-Encoding, Origin"


def test_a_page_of_the_right_origin_may_call(fhir: Fhir) -> None:
    fhir.made("Patient", id="p")
    asked = fhir.ask(
        "OPTIONS",
        "Patient/p",
        origin=PAGE,
        access_control_request_method="PATCH",
        access_control_request_headers="content-type, if-match, x-security-context",
    )
    assert asked.status_code in (200, 204)
    assert asked.headers["access-control-allow-origin"] == PAGE
    assert "PATCH" in asked.headers["access-control-allow-methods"]
    assert "if-match" in asked.headers["access-control-allow-headers"].lower()
    read = fhir.get("Patient/p", origin=PAGE)
    assert read.headers["access-control-allow-origin"] == PAGE
    assert "etag" in read.headers["access-control-expose-headers"].lower()


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("Patient", "DELETE GET HEAD OPTIONS PATCH POST PUT"),
        ("Patient/p", "DELETE GET HEAD OPTIONS PATCH PUT"),
        ("Patient/p/$everything", "GET HEAD OPTIONS POST"),
        ("metadata", "GET HEAD OPTIONS"),
        ("", "GET HEAD OPTIONS POST"),
    ],
)
def test_options_tells_all_that_a_path_allows(fhir: Fhir, path: str, methods: str) -> None:
    answer = fhir.ask("OPTIONS", path)
    assert (answer.status_code, answer.headers["allow"]) == (204, methods.replace(" ", ", "))


def test_pages_of_other_origins_may_not(fhir: Fhir) -> None:
    other = "https://evil.example.org"
    asked = fhir.ask("OPTIONS", "Patient", origin=other, access_control_request_method="GET")
    assert asked.headers.get("access-control-allow-origin") is None
    assert fhir.get("Patient", origin=other).headers.get("access-control-allow-origin") is None


def test_a_delete_returns_what_is_preferred(fhir: Fhir) -> None:
    fhir.made("Patient", id="p")
    gone = fhir.delete("Patient/p", prefer="return=OperationOutcome")
    assert (gone.status_code, gone.headers["etag"]) == (200, 'W/"2"')
    assert gone.json()["resourceType"] == "OperationOutcome"
    again = fhir.delete("Patient/p", prefer="return=minimal")
    assert (again.status_code, again.content) == (204, b"")
