"""Every order and every result of the corpus of real messages is applied, and renders as valid FHIR.

https://hl7.org/fhir/uv/v2mappings/2024Sep/
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from gateway.errors import Problem
from gateway.fhir import validate
from mappings import er7, resource
from mappings.messages.coverage import Coverage, MessageRefused, place
from mappings.messages.workspace import Written, mapping_of
from storage.model.shared import Identifier

decode = msgspec.json.Decoder(float_hook=Decimal).decode
PLAIN = frozenset({("ORM", "O01"), ("ORU", "R01")})
ALL = PLAIN | {("OML", "O21"), ("OMG", "O19"), ("OMI", "O23")}
Refused = Mapping[str, str]
REFUSED = {
    "cdc-bad-msh12-2.3.hl7": "100",
    "mirth-sparse-obx.hl7": "100",
    "mirth-subcomponents.hl7": "100",
}
"""Messages that cannot be applied, and the condition that tells why."""


def messages(path: Path) -> list[bytes]:
    """The messages of a file: one begins at each MSH."""
    raw = path.read_bytes().replace(b"\r\n", b"\r").replace(b"\n", b"\r")
    parts = re.split(rb"(?m)(?=(?:^|(?<=\r))MSH[|])", raw)
    return [part for part in parts if part.startswith((b"MSH", b"\xef\xbb\xbfMSH"))]


def wanted(raw: bytes, types: frozenset[tuple[str, str]] = PLAIN) -> bool:
    """Whether a message is an order or a result of some types, and can be read."""
    try:
        message = er7.read(raw)
    except er7.NotHl7:
        return False
    return (message.message_code, message.trigger_event) in types


def untold(message: er7.Message, coverage: Coverage) -> list[str]:
    """The fields of which the report says nothing."""
    warned = {(item.segment, item.sequence, item.field) for item in coverage.warned}
    return [
        spot
        for segment in message.segments
        for number in segment.filled()
        if (spot := place(segment, number)) not in coverage.mapped
        and spot not in coverage.ignored
        and (segment.name, segment.number, number) not in warned
    ]


def invalid(written: list[Written]) -> list[str]:
    """What is wrong with the resources as readers get them."""
    found: list[str] = []
    for item in written:
        kind = item.record.resource["resource_type"]
        drawn = decode(resource.render(mapping_of(item.record), item.record))
        try:
            validate.check(drawn, kind)
        except Problem as problem:
            found += [f"{issue.expression}: {issue.diagnostics}" for issue in problem.issues]
    return found


def readable(corpus: Path) -> Iterator[tuple[str, bytes]]:
    """The orders and results of the corpus that can be read, each with its name."""
    for path in sorted((corpus / "hl7v2").glob("*.*")):
        for number, raw in enumerate(messages(path)):
            if path.name != "INDEX.md" and wanted(raw, ALL):
                yield f"{path.name}#{number}", raw


def each_is_applied_and_valid(gateway: Any, found: Iterable[tuple[str, bytes]], refused: Refused) -> int:
    """Rehearse messages, and return how many there were: each renders as valid FHIR and tells of every field,
    or is refused under the condition that is told of its file.
    """
    seen = 0
    faults: dict[str, Any] = {}
    for name, raw in found:
        seen += 1
        expected = refused.get(name.partition("#")[0])
        try:
            applied = gateway.rehearse(raw)
        except MessageRefused as refusal:
            if expected != refusal.warning.code:
                faults[name] = refusal.warning
            continue
        told = invalid(applied.written) + untold(er7.read(raw), applied.coverage)
        if told or expected:
            faults[name] = told
    assert not faults, faults
    return seen


def none_writes_again(gateway: Any, found: Iterable[tuple[str, bytes]], refused: Refused) -> int:
    """Rehearse messages twice each, but for those refused, and return how many there were: the second time
    nothing is written, though each is about records.
    """
    faults: dict[str, Any] = {}
    seen = 0
    for name, raw in found:
        if name.partition("#")[0] in refused:
            continue
        applied = gateway.rehearse(raw, times=2)
        seen += 1
        changed = [(item.action, item.path) for item in applied.written if item.action != "matched"]
        if changed or not applied.written:
            faults[name] = changed
    assert not faults, faults
    return seen


def test_each_order_and_result_of_the_corpus_is_applied_and_renders_as_valid_fhir(
    corpus: Path, gateway: Any
) -> None:
    assert each_is_applied_and_valid(gateway, readable(corpus), REFUSED) > 30


def test_the_corpus_is_applied_one_message_after_the_other_though_files_share_numbers(
    corpus: Path, gateway: Any
) -> None:
    refused: dict[str, str] = {}
    for name, raw in readable(corpus):
        try:
            gateway.send(raw)
        except MessageRefused as refusal:
            refused[name.partition("#")[0]] = refusal.warning.code
    assert refused == REFUSED
    assert len(gateway.all("ServiceRequest")) > 30


def test_each_order_and_result_of_the_corpus_writes_nothing_when_it_comes_again(
    corpus: Path, gateway: Any
) -> None:
    assert none_writes_again(gateway, readable(corpus), REFUSED) > 30


def test_the_result_of_a_pair_finds_the_order_of_the_pair(corpus: Path, gateway: Any) -> None:
    for name in ("cdc-pair1-orm.hl7", "cdc-pair1-oru.hl7"):
        gateway.send((corpus / "hl7v2" / name).read_bytes())
    order, report = gateway.only("ServiceRequest"), gateway.only("DiagnosticReport")
    assert report["basedOn"] == [{"reference": f"ServiceRequest/{order['id']}"}]
    assert gateway.row("service_order", order["id"])["status"] == "reported"


def test_the_laboratory_order_of_a_life_cycle_ends_completed_with_all_its_specimens(
    corpus: Path, gateway: Any
) -> None:
    for raw in messages(corpus / "hl7v2" / "hapi-oml-lifecycle-13msgs.hl7"):
        if wanted(raw, ALL) and b"12345678^gastric" in raw:
            gateway.send(raw)
    order = gateway.only("ServiceRequest")
    assert [step[1] for step in gateway.steps(order)] == ["ordered", "in_progress", "completed"]
    assert len(order["specimen"]) == 5
    assert sorted(item["status"] for item in gateway.all("Specimen")) == [*["available"] * 4, "unavailable"]


def test_an_imaging_order_has_its_accession_number_and_study_wherever_they_stand(
    corpus: Path, gateway: Any
) -> None:
    for name in ("dcm4che-omi-imaging-ipc.hl7", "dcm4che-orm-imaging-zds.hl7"):
        applied = gateway.rehearse((corpus / "hl7v2" / name).read_bytes())
        (order,) = (item.record for item in applied.written if item.record.main.get("order_type"))
        imaging = order.details["order_imaging"]
        assert (imaging["modality_code"], imaging["study_instance_uid"][:7]) == ("CT", "1.2.392")
        numbers = {row["value"] for row in order.rows(Identifier, None, "identifier")}
        assert "AccessionNumber" in numbers


def test_prior_results_of_a_general_order_are_a_report_that_supports_it(corpus: Path, gateway: Any) -> None:
    gateway.send((corpus / "hl7v2" / "ms-OMG-O19-01.hl7").read_bytes())
    order, report = gateway.only("ServiceRequest"), gateway.only("DiagnosticReport")
    assert {"reference": f"DiagnosticReport/{report['id']}"} in order["supportingInfo"]
    assert (order["status"], len(report["result"])) == ("on-hold", 2)
    assert len(gateway.all("Encounter")) == 2
