"""Whatever resource is written comes back from the database, from its stored bytes and from its rows alike.

https://hl7.org/fhir/R4/json.html
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st

from gateway import errors
from gateway.app import new_id
from gateway.fhir import wire
from gateway.records import Records
from gateway.unit import Unit
from mappings import resource
from mappings.element import IllegalTransition, Refused
from mappings.resources import REGISTRY, WITH_TABLES
from storage.session import Store
from storage.versions import Stored
from tests.fixtures.records import FHIR, as_sent, ticking
from tests.strategies.resources import resource as resources

RULES = ("invariant", "business-rule", "required")
"""Kinds of refusal by rules of ours that the definitions do not tell: they make no resource to compare."""
EXAMPLES = 40
ASKED = [*sorted(WITH_TABLES), "Bundle", "MedicationRequest", "Person"]
"""All types with tables, a sample of the others."""


@pytest.fixture(scope="module")
def kept(store: Store, _wipe: str) -> Records:
    """Records of one database for all examples: each resource has an id of its own."""
    with store.connection() as connection:
        connection.execute(_wipe.encode())
    ticks = ticking()
    return Records(store, lambda: next(ticks), new_id)


def rendered_again(records: Records, stored: Stored) -> bytes:
    """Render the rows of a resource as they stand."""

    def work(unit: Unit) -> bytes:
        return resource.render(REGISTRY[stored.resource_type], unit.get(stored.resource_type, stored.fhir_id))

    return records.unit(FHIR, work)


def check(records: Records, stored: Stored, value: dict[str, Any]) -> None:
    """See that a resource is what was sent: in the answer, in what is read, and in the rows."""
    assert as_sent(wire.decode(stored.content or b"")) == as_sent(value)
    check_rows(records, stored)


def check_rows(records: Records, stored: Stored) -> None:
    """See that what is read, and what the rows give, is what was answered."""
    assert stored.content is not None
    found = records.read(FHIR, stored.resource_type, stored.fhir_id)
    assert found.content == stored.content
    assert rendered_again(records, stored) == stored.content


def without_owned(value: dict[str, Any]) -> dict[str, Any]:
    """Leave out extensions that the server owns: a change of state keeps, stamps and clears them."""
    owned = {line.url for line in REGISTRY[value["resourceType"]].extensions.values() if line.kept}
    rest = [extension for extension in value.get("extension", ()) if extension["url"] not in owned]
    others = {key: part for key, part in value.items() if key != "extension"}
    return others | ({"extension": rest} if rest else {})


def drawn(data: st.DataObject, name: str) -> dict[str, Any]:
    """Draw a resource as it comes off the wire."""
    return wire.decode(wire.encode(data.draw(resources(name, REGISTRY[name]))))


@pytest.mark.parametrize("name", ASKED)
@settings(
    max_examples=EXAMPLES,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.large_base_example,
        HealthCheck.function_scoped_fixture,
    ],
)
@given(st.data())
def test_what_is_created_and_then_replaced_comes_back(kept: Records, name: str, data: st.DataObject) -> None:
    first = drawn(data, name)
    try:
        made = kept.create(FHIR, name, first)
    except (Refused, errors.Problem) as refused:
        assert_rule(refused)
        reject()
    check(kept, made, first)
    second = drawn(data, name)
    try:
        replaced = kept.update(FHIR, name, made.fhir_id, second | {"id": made.fhir_id})
    except (Refused, errors.Problem, IllegalTransition) as refused:
        assert_rule(refused)
        check(kept, made, first)
        return
    assert not replaced.created
    answered = wire.decode(replaced.version.content or b"")
    assert as_sent(without_owned(answered)) == as_sent(without_owned(second))
    check_rows(kept, replaced.version)


def assert_rule(refused: Exception) -> None:
    """See that a resource was refused by a rule of ours, not for want of a place to keep it."""
    if isinstance(refused, Refused):
        assert refused.kind in RULES, refused.message
    else:
        told = errors.problem_of(refused)
        assert told.status in (409, 422), told.issues
