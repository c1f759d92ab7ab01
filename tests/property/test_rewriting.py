"""Links of a transaction's resources are changed where the standard says, and nothing else is.

https://hl7.org/fhir/R4/http.html#trules
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.fhir.rewrite import narrative, rewritten
from mappings.definitions import elements_at
from tests.strategies.resources import REFERENCES, resource

bounded = settings(
    max_examples=60,
    phases=[phase for phase in Phase if phase is not Phase.explain],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
)

TYPES = ("Observation", "Claim", "Bundle", "Composition", "Parameters", "PlanDefinition", "Provenance")
THERE = {
    name: f"Patient/renamed-{place}" for place, name in enumerate(REFERENCES) if not name.startswith("#")
}
BACK = {new: old for old, new in THERE.items()}
Path = tuple[str | int, ...]


def renamed(value: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return rewritten(value, lambda text, _field, _value: names.get(text, text))


def texts(value: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """Yield each text of a JSON value with the path to it."""
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from texts(item, (*path, key))
    elif isinstance(value, list):
        for place, item in enumerate(value):
            yield from texts(item, (*path, place))


@pytest.mark.parametrize("name", TYPES)
@bounded
@given(st.data())
def test_there_and_back_again_is_where_it_was(name: str, data: st.DataObject) -> None:
    value = data.draw(resource(name))
    before = copy.deepcopy(value)
    after = renamed(value, THERE)
    assert value == before
    assert renamed(after, BACK) == before
    assert rewritten(value, lambda text, _field, _value: text) is value


@pytest.mark.parametrize("name", TYPES)
@bounded
@given(st.data())
def test_all_references_follow_and_only_what_names_an_entry_is_changed(
    name: str, data: st.DataObject
) -> None:
    value = data.draw(resource(name))
    after = dict(texts(renamed(value, THERE)))
    for path, text in texts(value):
        if path[-1] == "reference":
            assert after[path] == THERE.get(text, text)
        else:
            assert after[path] in (text, THERE.get(text))


def paths(type_name: str) -> Iterator[tuple[str, str]]:
    """Yield key and type of each primitive directly in a datatype."""
    for element in elements_at(type_name):
        for base in (kind for kind in element.types if kind[0].islower()):
            yield element.name + (base[0].upper() + base[1:] if element.is_choice else ""), base


LINKED = ("uri", "url", "oid", "uuid")


@pytest.mark.parametrize(
    ("key", "kind"), [pair for pair in paths("Extension") if pair[0].startswith("value")]
)
def test_a_primitive_follows_where_its_type_is_one_of_addresses(key: str, kind: str) -> None:
    url = REFERENCES[4]
    value = {"resourceType": "Basic", "extension": [{"url": "http://x.example/e", key: url}]}
    after = renamed(value, THERE)["extension"][0][key]
    assert after == (THERE[url] if kind in LINKED else url)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('<a href="urn:a">x</a>', '<a href="Patient/1">x</a>'),
        ("<a class='b' href = 'urn:a'>x</a>", "<a class='b' href = \"Patient/1\">x</a>"),
        ('<img alt="urn:a" src="urn:a"/>', '<img alt="urn:a" src="Patient/1"/>'),
        ('<a href="http://x?a=1&amp;b=2">x</a>', '<a href="Patient/2">x</a>'),
        ('<a href="urn:b">urn:a</a>', '<a href="urn:b">urn:a</a>'),
        ('<p title="href=&quot;urn:a&quot;">urn:a</p>', '<p title="href=&quot;urn:a&quot;">urn:a</p>'),
        ('<area href="urn:a"/>', '<area href="urn:a"/>'),
    ],
)
def test_addresses_of_links_and_images_follow_in_narrative(before: str, after: str) -> None:
    names = {"urn:a": "Patient/1", "http://x?a=1&b=2": "Patient/2"}
    assert narrative(before, lambda text, _field, _value: names.get(text, text)) == after
