"""Whatever resource is written as XML is read back as it was, and no document does harm.

https://hl7.org/fhir/R4/xml.html
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.errors import NotParseable
from gateway.fhir import xml
from mappings.definitions import resource_types
from tests.fixtures.resources import text
from tests.strategies.resources import resource

bounded = settings(
    max_examples=60,
    phases=[phase for phase in Phase if phase is not Phase.explain],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)
TYPES = ("Patient", "Observation", "Bundle", "Parameters", "Questionnaire", "StructureDefinition")


@pytest.mark.parametrize("name", sorted(resource_types() & set(TYPES)))
@pytest.mark.parametrize("pretty", [False, True])
@bounded
@given(st.data())
def test_what_is_written_is_read_back(name: str, pretty: bool, data: st.DataObject) -> None:
    value: dict[str, Any] = data.draw(resource(name))
    assert text(xml.read(xml.write(value, pretty=pretty))) == text(value)


@bounded
@given(st.data())
def test_a_resource_of_any_type_is_read_back(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(resource_types())))
    value: dict[str, Any] = data.draw(resource(name))
    assert text(xml.read(xml.write(value))) == text(value)


PARTS = st.sampled_from(
    [
        b'<Patient xmlns="http://hl7.org/fhir">',
        b"</Patient>",
        b'<name xmlns="http://hl7.org/fhir">',
        b"</name>",
        b'<active value="true"/>',
        b'<div xmlns="http://www.w3.org/1999/xhtml">',
        b"</div>",
        b"<text>",
        b"</text>",
        b"<contained>",
        b"</contained>",
        b"&lt;",
        b"&x;",
        b"<!-- x -->",
        b"<![CDATA[x]]>",
        b"<?xml version='1.0' encoding='utf-8'?>",
        b"<!DOCTYPE x>",
        b"\xff",
        b"\x00",
    ]
)


@given(st.lists(PARTS | st.binary(max_size=4), max_size=12))
def test_any_bytes_are_read_or_refused(parts: list[bytes]) -> None:
    body = b"".join(parts)
    try:
        made = xml.read(body)
    except NotParseable:
        return
    assert xml.read(xml.write(made)) == made
