"""Which format an answer is in, and which a body: https://hl7.org/fhir/R4/http.html#mime-type."""

from __future__ import annotations

import pytest

from gateway.errors import NotAcceptable, UnsupportedMediaType
from gateway.fhir.media import answer_format, body_format

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    ("accept", "expected"),
    [
        (None, "json"),
        ("", "json"),
        ("*/*", "json"),
        ("text/html, *; q=.2", "json"),
        (" , ", "json"),
        ("application/*", "json"),
        ("text/*;q=0.1", "json"),
        ("application/fhir+json", "json"),
        ("application/fhir+xml", "xml"),
        ("Application/FHIR+XML; charset=utf-8", "xml"),
        ("text/xml", "xml"),
        ("application/xml", "xml"),
        ("application/xml;q=0.5, application/json;q=0.6", "json"),
        ("application/xml;q=0.6, application/json;q=0.5", "xml"),
        ("application/xml, application/json", "xml"),
        ("application/json, application/xml", "json"),
        ("*/*, application/fhir+xml", "xml"),
        ("application/fhir+xml;q=0.2, */*;q=0.1", "xml"),
        ("application/fhir+xml;q=0, */*", "json"),
        ("application/fhir+json;q=0, */*", "xml"),
        ("application/fhir+json;q=0, application/*;q=0.3", "xml"),
        ("application/fhir+xml; fhirVersion=4.0", "xml"),
        ("application/fhir+xml; fhirVersion=3.0, application/json;q=0.1", "json"),
        ("text/turtle, application/xml;q=0.1", "xml"),
        ("application/fhir+xml;q=x", "xml"),
        (BROWSER, "xml"),
    ],
)
def test_the_accept_header_chooses_the_format(accept: str | None, expected: str) -> None:
    assert answer_format(accept) == expected


@pytest.mark.parametrize(
    "accept",
    [
        "text/turtle",
        "text/html",
        "application/fhir+json; fhirVersion=5.0",
        "application/json;q=0",
        "*/*;q=0",
        "application/json;q=0, application/xml;q=0, */*",
    ],
)
def test_other_formats_cannot_be_given(accept: str) -> None:
    with pytest.raises(NotAcceptable):
        answer_format(accept)


@pytest.mark.parametrize(
    ("named", "expected"),
    [
        ("json", "json"),
        ("xml", "xml"),
        ("application/json", "json"),
        ("text/json", "json"),
        ("application/fhir+json", "json"),
        ("application/fhir json", "json"),
        ("text/xml", "xml"),
        ("application/xml", "xml"),
        ("application/fhir+xml", "xml"),
        ("application/fhir xml; fhirVersion=4.0", "xml"),
    ],
)
def test_the_parameter_goes_before_the_header(named: str, expected: str) -> None:
    for accept in (None, "application/fhir+json", "application/fhir+xml", "text/turtle"):
        assert answer_format(accept, named) == expected


@pytest.mark.parametrize("named", ["ttl", "text/turtle", "html", "application/fhir+xml; fhirVersion=1.0"])
def test_other_formats_cannot_be_asked_for(named: str) -> None:
    with pytest.raises(NotAcceptable):
        answer_format("application/fhir+json", named)


@pytest.mark.parametrize(
    ("content_type", "expected"),
    [
        ("application/fhir+json", "json"),
        ("application/json; charset=UTF-8", "json"),
        ("text/json", "json"),
        ("application/fhir+xml", "xml"),
        ('application/fhir+xml; charset="utf-8"', "xml"),
        ("text/xml; charset=us-ascii", "xml"),
        ("application/xml; fhirVersion=4.0.1", "xml"),
    ],
)
def test_the_format_of_a_body(content_type: str, expected: str) -> None:
    assert body_format(content_type) == expected


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "text/turtle",
        "application/fhir+xml; charset=iso-8859-1",
        "application/fhir+json; charset=utf-16",
        "application/fhir+xml; fhirVersion=3.0",
    ],
)
def test_bodies_that_are_not_read(content_type: str) -> None:
    with pytest.raises(UnsupportedMediaType):
        body_format(content_type)
