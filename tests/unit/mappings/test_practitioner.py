"""Practitioner: its columns, and what comes back. https://hl7.org/fhir/R4/practitioner.html"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from mappings import convert
from mappings.element import Refused, ext
from mappings.resources.practitioner import PRACTITIONER
from storage.model.shared import (
    Attachment,
    Coding,
    Concept,
    ContactPoint,
    Identifier,
    PersonName,
    PostalAddress,
)
from tests.fixtures.resources import draw, numbered, read, text

FULL: dict[str, Any] = {
    "resourceType": "Practitioner",
    "id": "surgeon-1",
    "identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1234567893"}],
    "active": True,
    "name": [
        {"use": "usual", "text": "Ada"},
        {"use": "official", "family": "Byron", "given": ["Ada", "Mae"], "prefix": ["Dr"]},
    ],
    "telecom": [{"system": "phone", "value": "+1 555 0100", "use": "work", "rank": 1}],
    "address": [{"use": "work", "line": ["1 Main St"], "city": "Springfield"}],
    "gender": "female",
    "birthDate": "1975-03",
    "photo": [{"contentType": "image/png", "data": "aGVsbG8="}],
    "qualification": [{"code": {"text": "MD"}, "period": {"start": "2001"}}],
    "communication": [{"coding": [{"system": "urn:ietf:bcp:47", "code": "fr"}]}],
    "extension": [{"url": ext("specialty"), "valueString": "Vascular surgery"}],
}


def test_each_element_fills_its_column() -> None:
    record = read(PRACTITIONER, FULL)
    main = record.main
    assert main["active"] is True
    assert main["gender"] == "female"
    assert main["birth_date"] == "1975-03"
    assert main["birth_date_lo"] == datetime(1975, 3, 1, tzinfo=UTC)
    assert main["birth_date_hi"] == datetime(1975, 4, 1, tzinfo=UTC)
    assert main["specialty_text"] == "Vascular surgery"
    assert [row["value"] for row in record.rows(Identifier, None, "identifier")] == ["1234567893"]
    assert [row["family"] for row in record.rows(PersonName, None, "name")] == [None, "Byron"]
    assert [row["rank"] for row in record.rows(ContactPoint, None, "telecom")] == [1]
    assert [row["lines"] for row in record.rows(PostalAddress, None, "address")] == [["1 Main St"]]
    assert [row["data"] for row in record.rows(Attachment, None, "photo")] == [b"hello"]
    (language,) = record.rows(Concept, None, "communication")
    assert [row["code"] for row in record.rows(Coding, language["id"], "communication")] == ["fr"]


def test_what_is_read_comes_back() -> None:
    assert text(draw(PRACTITIONER, read(PRACTITIONER, FULL))) == text(FULL)


def test_only_qualifications_stay_in_the_remainder() -> None:
    assert read(PRACTITIONER, FULL).resource["remainder"] == {"x": {"qualification": FULL["qualification"]}}


@pytest.mark.parametrize(
    ("names", "shown"),
    [
        (FULL["name"], "Byron, Ada Mae"),
        ([{"family": "Byron"}, {"use": "usual", "family": "King"}], "King"),
        ([{"text": "Ada the Great"}], "Ada the Great"),
        ([], None),
    ],
)
def test_the_name_shown_is_the_official_then_the_usual_then_the_first(
    names: list[dict[str, Any]], shown: str | None
) -> None:
    made = {"resourceType": "Practitioner"} | ({"name": names} if names else {})
    assert read(PRACTITIONER, made).main["display_name"] == shown


def test_an_unknown_gender_is_refused_and_named() -> None:
    with pytest.raises(Refused) as refused:
        read(PRACTITIONER, {"resourceType": "Practitioner", "gender": "F"})
    assert refused.value.kind == "code-invalid"
    assert refused.value.expression == "Practitioner.gender"
    assert "female" in refused.value.allowed


def test_what_hung_on_an_element_goes_when_it_is_replaced() -> None:
    kept = {"extension": [{"url": "urn:x", "valueBoolean": True}]}
    record = read(PRACTITIONER, {**FULL, "_gender": kept, "_birthDate": kept})
    at = convert.top(record, PRACTITIONER, numbered())
    convert.replace_element(at, PRACTITIONER.by_element["gender"], "gender", "other")
    drawn = draw(PRACTITIONER, record)
    assert drawn["gender"] == "other"
    assert "_gender" not in drawn
    assert drawn["_birthDate"] == kept
