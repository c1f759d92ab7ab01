"""HAPI HL7v2, with its default validation, reads all acknowledgements and messages that the gateway writes.

HL7 v2.5.1, sections 2.9.2, 4.4.1, 4.4.6 and 7.3.1:
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.mllp.framing import Frame, Framer, wrap
from gateway.outbox import News, gather
from gateway.records import Caller
from gateway.unit import Unit
from mappings import er7
from mappings.element import V2Context
from mappings.messages.coverage import MessageRefused
from mappings.outbound.fill import Piece, Pieces
from mappings.outbound.message import Built, Envelope, order_message, result_message
from mappings.outbound.structure import NoStructure
from storage.session import Store
from tests.integration.messages.conftest import Gateway, apply
from tests.integration.messages.test_corpus import ALL as ORDERS_AND_RESULTS
from tests.integration.messages.test_corpus import messages, wanted
from tests.interop.conftest import Hapi
from tests.wire.conftest import Running
from tests.wire.messages import header, message
from tests.wire.peer import HOST

pytestmark = pytest.mark.slow
AT = datetime(2026, 3, 1, 8, 30, tzinfo=UTC)
VERSIONS = ("2.3", "2.3.1", "2.4", "2.5", "2.5.1", "2.6", "2.7", "2.8")
KNOWN = ("2.1", "2.2", *VERSIONS, "2.8.1")
"""The versions that HAPI knows of those that the gateway speaks."""
BY_THE_BOOK = {"MSA-2 is missing", "ERR-1 has more components than ID"}
"""A message without a number has none in its answer; in 2.1 the places in ERR-1 are written as an ID."""
LEFT_OPEN = re.compile(
    r"(?P<ahead>.* has more components than .*)"  # who does not know them passes them over (2.6.2)
    r"|(?P<untold>(?:OBX-(?:2|3|4|11)|GT1-1|SPM-4|ORC-7|OBR-27) is missing)"  # nobody told it
    r"|(?P<odd>OBRRQD\w* has no RXR|ORCOBR\w* has no OBXNTE)"  # HAPI's 2.3.1 has no choice here
)


@pytest.mark.parametrize("version", KNOWN)
@pytest.mark.parametrize("kind", ["ORM^O01", "DFT^P03", "ORM"])
def test_it_reads_the_acknowledgement_of_each_version(
    hapi: Hapi, reader: Running, version: str, kind: str
) -> None:
    sent = message(header("m1", kind, version=version), "PID|1||4711", "ORC|NW|A|B", "OBR|1|A|B|C^D^E")
    nobody = sent.replace(b"PID|1||4711", b"PID|1||")
    for raw in (sent, nobody.replace(b"|m1|", b"|m2|")):
        told = hapi.check(reader.send(raw)[0].decode())
        assert told == {"class": "ACK", "version": version, "faults": told.get("faults")}
        assert set(told["faults"]) <= BY_THE_BOOK


@pytest.fixture
def reader(clean: Store) -> Iterator[Running]:
    """A listener over an empty database."""
    running = Running(clean)
    yield running
    running.stop()


def answers(port: int, raw: bytes) -> list[str]:
    """All acknowledgements of a message: none, one or two (2.9.3)."""
    with socket.create_connection((HOST, port), timeout=20) as connection:
        connection.sendall(wrap(raw))
        connection.shutdown(socket.SHUT_WR)
        heard = b"".join(iter(lambda: connection.recv(65536), b""))
    found = [event.payload for event in Framer().feed(heard) if isinstance(event, Frame)]
    return [payload.decode(er7.read(payload).charset) for payload in found]


def test_it_reads_the_acknowledgements_of_each_message_of_the_corpus(
    hapi: Hapi, reader: Running, corpus: Path
) -> None:
    read = 0
    wrong: dict[str, Any] = {}
    for path in sorted((corpus / "hl7v2").glob("*.*")):
        for number, raw in enumerate(messages(path)[:10] if path.name != "INDEX.md" else ()):
            for text in answers(reader.port, raw):
                found = hapi.check(text)
                read += 1
                if set(found.get("faults", ["refused"])) - BY_THE_BOOK:
                    wrong[f"{path.name}#{number}"] = found
    assert wrong == {}
    assert read > 100


def wrong_with(hapi: Hapi, built: Built) -> list[str]:
    """What HAPI has to say of a message that is complete; one that is not never leaves."""
    if built.faults:
        return []
    found = hapi.check(built.text)
    if "refused" in found:
        return [found["refused"]]
    wrong = [fault for fault in found["faults"] if not LEFT_OPEN.fullmatch(fault)]
    return wrong if found["class"] == built.structure else [f"read as {found['class']}", *wrong]


def told_of(pieces: dict[str, Piece], news: list[News], version: str, control: str = "NW") -> Iterator[Built]:
    """The messages that tell of orders and reports in a version, in each way that the version has."""
    envelope = Envelope(("SUTURE", "OR"), ("LAB", "CITY"), "1", AT, version, "UNICODE UTF-8")
    filled = Pieces(pieces, V2Context(UTC, {}, version))
    for item in news:
        about = pieces[item.name]
        if item.resource_type == "DiagnosticReport":
            yield result_message(envelope, about, filled)
            continue
        for name in ("ORM_O01", "OML_O21"):
            with suppress(NoStructure):
                yield order_message(envelope, name, about, control, filled)


NEWS = [News("ServiceRequest", "o"), News("DiagnosticReport", "r")]


def pieces(phone: str, born: str) -> dict[str, Piece]:
    """An order and its report, of a patient with a telephone number and a date of birth."""
    loinc = {"coding": [{"system": "http://loinc.org", "code": "718-7", "display": "Hemoglobin | [Mass]"}]}
    subject, visit = {"reference": "Patient/p"}, {"reference": "Encounter/e"}
    spoken = {"coding": [{"system": "urn:ietf:bcp:47", "code": "de-CH"}]}
    told: list[dict[str, Any]] = [
        {
            "resourceType": "Patient",
            "id": "p",
            "identifier": [
                {"system": "urn:hl7:hd:CITY", "value": "4711"},
                {"system": "http://hl7.org/fhir/sid/us-ssn", "value": "123-45-6789"},
            ],
            "name": [{"use": "official", "family": "Größe", "given": ["Ann", "B."], "suffix": ["Jr", "MD"]}],
            "telecom": [{"system": "phone", "value": phone}, {"system": "email", "value": "a@example.org"}],
            "birthDate": born,
            "maritalStatus": {"text": "it is complicated"},
            "communication": [{"language": spoken, "preferred": True}],
            "contact": [{"name": {"family": "Roe"}, "telecom": [{"system": "phone", "value": phone}]}],
            "multipleBirthInteger": 2,
            "deceasedDateTime": "2026-02-28T23:59:59.123456+01:00",
        },
        {
            "resourceType": "Encounter",
            "id": "e",
            "status": "in-progress",
            "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "IMP"},
            "subject": subject,
            "period": {"start": "2026-03-01", "end": "2026-03"},
        },
        {
            "resourceType": "ServiceRequest",
            "id": "o",
            "status": "active",
            "intent": "order",
            "priority": "stat",
            "code": loinc,
            "subject": subject,
            "encounter": visit,
            "authoredOn": "2026-03-01T08:00:00.5Z",
            "occurrencePeriod": {"start": "2026-03-02", "end": "2026-03-03T10:00:00Z"},
            "reasonCode": [{"text": "why & what ^ for"}],
            "note": [{"text": "First line\nsecond line", "time": "2026-03-01T08:00:00Z"}],
            "requester": {"display": "Dr Okafor"},
        },
        {
            "resourceType": "DiagnosticReport",
            "id": "r",
            "status": "final",
            "code": loinc,
            "subject": subject,
            "encounter": visit,
            "basedOn": [{"reference": "ServiceRequest/o"}],
            "effectiveDateTime": "2026-03",
            "issued": "2026-03-01T08:30:00.123456789Z",
            "conclusion": "x" * 5000,
            "result": [{"reference": f"Observation/{number}"} for number in range(len(RESULTS))],
        },
    ]
    head = {"resourceType": "Observation", "status": "final", "code": loinc, "subject": subject}
    told += [{**head, "id": str(number), **result} for number, result in enumerate(RESULTS)]
    return {f"{each['resourceType']}/{each['id']}": Piece(each) for each in told}


RESULTS: list[dict[str, Any]] = [
    {"valueQuantity": {"value": 13.2, "comparator": "<", "unit": "g/dL", "code": "g/dL"}},
    {"valueString": "y" * 5000},
    {"valueString": "one\ntwo | three"},
    {"valueDateTime": "2026-03"},
    {"valueTime": "08:30:00.123456"},
    {"valuePeriod": {"start": "2026-03-01", "end": "2026-03-02T08:30:00+01:00"}},
    {"valueRange": {"low": {"value": 1}, "high": {"value": 2}}},
    {"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}},
    {"valueBoolean": True},
    {"valueCodeableConcept": {"text": "nothing to see"}},
    {"component": [{"code": {"text": "systolic"}, "valueQuantity": {"value": 120}}]},
]
"""A value of each kind."""


class Undone(Exception):
    """Ends a transaction that shall not be committed."""


def rebuilt(gateway: Gateway, raw: bytes) -> list[Built]:
    """What the orders and reports that a message brings into an empty database make the gateway send."""
    made: list[Built] = []

    def work(unit: Unit) -> None:
        heads = [item.record.resource for item in apply(unit, raw).written]
        kinds = ("ServiceRequest", "DiagnosticReport")
        news = [
            News(head["resource_type"], head["fhir_id"]) for head in heads if head["resource_type"] in kinds
        ]
        pieces = gather(unit.session.raw, news)
        for version in VERSIONS:
            made.extend(told_of(pieces, news, version))
        raise Undone

    with suppress(Undone, MessageRefused):
        gateway.records.unit(Caller("hl7v2"), work)
    return made


def test_it_reads_what_the_corpus_makes_the_gateway_send_in_each_version(
    hapi: Hapi, clean: Store, corpus: Path
) -> None:
    gateway = Gateway(clean)
    read = 0
    wrong: dict[str, list[str]] = {}
    for path in sorted((corpus / "hl7v2").glob("*.hl7")):
        for raw in messages(path):
            for built in rebuilt(gateway, raw) if wanted(raw, ORDERS_AND_RESULTS) else ():
                read += 1
                if found := wrong_with(hapi, built):
                    wrong.setdefault(f"{path.name} {built.structure}", []).extend(found)
    assert wrong == {}
    assert read > 1000


PHONES = ["+44 20 7946 0958", "555 123 4567", "ext. 12 only", "1-800-FLOWERS", "5551234", "+1 (555) 123-4567"]
BIRTHS = ["1970", "1970-02", "1970-02-03"]


@pytest.mark.parametrize("version", VERSIONS)
def test_it_reads_messages_of_resources_with_much_in_them(hapi: Hapi, version: str) -> None:
    wrong = [
        fault
        for number, phone in enumerate(PHONES)
        for built in told_of(pieces(phone, BIRTHS[number % 3]), NEWS, version)
        for fault in [*built.faults, *wrong_with(hapi, built)]
    ]
    assert wrong == []
