"""Every official R4 example of the served types comes back as it was written: https://hl7.org/fhir/R4/examples.html."""

from __future__ import annotations

from pathlib import Path

from gateway.fhir import validate, wire
from gateway.records import Records
from gateway.unit import Unit
from mappings import resource
from mappings.resources import REGISTRY
from tests.fixtures.records import FHIR, as_sent


def rendered_again(records: Records, resource_type: str, fhir_id: str) -> bytes:
    def work(unit: Unit) -> bytes:
        record = unit.get(resource_type, fhir_id)
        return resource.render(REGISTRY[resource_type], record)

    return records.unit(FHIR, work)


def test_each_example_is_read_back_equal_from_stored_bytes_and_from_the_rows(
    records: Records, corpus: Path
) -> None:
    seen = 0
    for path in sorted((corpus / "fhir-r4" / "examples").glob("*.json")):
        value = wire.decode(path.read_bytes())
        kind = value["resourceType"]
        if kind not in REGISTRY:
            continue
        validate.check(value, kind)
        made = records.create(FHIR, kind, value)
        stored = records.read(FHIR, kind, made.fhir_id)
        assert stored.content is not None
        assert as_sent(wire.decode(bytes(stored.content))) == as_sent(value), path.name
        assert rendered_again(records, kind, made.fhir_id) == bytes(stored.content), path.name
        seen += 1
    assert seen >= 100
