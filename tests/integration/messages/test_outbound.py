"""What leaves says what came: a message built from what a message brought makes the same resources again.

https://hl7.org/fhir/uv/v2mappings/2024Sep/
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.outbox import News, gather
from gateway.records import Caller
from gateway.unit import Unit
from mappings import er7, resource, times
from mappings.element import V2Context, sid
from mappings.messages.coverage import MessageRefused
from mappings.messages.workspace import Written, mapping_of
from mappings.outbound.fill import Pieces
from mappings.outbound.message import Built, Envelope, order_message, result_message
from mappings.outbound.structure import NoStructure, structure
from tests.integration.messages.conftest import START, Gateway, apply
from tests.integration.messages.test_corpus import messages
from tests.integration.messages.unsaid import UNSAID, Unsaid, group_of

NUMBER = re.compile(rb"(?:ORD|ACC)-\d{4}-\d+(?:\^\^http[^|~\r]*)?")
Leaf = tuple[str, object]
NAMES = {"ORM": "ORM_O01", "OML": "OML_O21", "ORU": "ORU_R01"}
NOTHING = Unsaid(0, "all comes back")
OWN = (sid("order-number"), sid("accession-number"))


class Undone(Exception):
    """Ends a transaction that shall not be committed."""


def wanted(raw: bytes) -> bool:
    """Whether a message is one of those that leave too."""
    try:
        message = er7.read(raw)
    except er7.NotHl7:
        return False
    return f"{message.message_code}_{message.trigger_event}" in NAMES.values()


def without_ours(made: Built) -> bytes:
    """A message without the numbers that this gateway gives, which it would give to others again."""
    return NUMBER.sub(b"", made.encoded("UNICODE UTF-8"))


def version_of(message: er7.Message, name: str) -> str:
    """The version of a message, where that has the structure."""
    try:
        structure(message.version, name)
    except NoStructure:
        return "2.5.1"
    return message.version


def rebuild(unit: Unit, raw: bytes, written: list[Written]) -> list[Built]:
    """Build a message of each order or report that a message brought."""
    message = er7.read(raw)
    name = NAMES[message.message_code]
    kind = "DiagnosticReport" if name == "ORU_R01" else "ServiceRequest"
    heads = [item.record.resource for item in written]
    news = [News(kind, head["fhir_id"]) for head in heads if head["resource_type"] == kind]
    by_name = gather(unit.session.raw, news)
    version = version_of(message, name)
    pieces = Pieces(by_name, V2Context(unit.site.zone, unit.site.systems, version))
    msh = message.msh
    sender = msh.field(3).raw, msh.field(4).raw
    envelope = Envelope(sender, ("A", "B"), "1", START, version)
    orc = message.first("ORC")
    control = orc.field(1).text if orc else ""
    if kind == "DiagnosticReport":
        return [result_message(envelope, by_name[item.name], pieces) for item in news]
    return [order_message(envelope, name, by_name[item.name], control or "NW", pieces) for item in news]


def brought(gateway: Gateway, payloads: list[bytes], *, again: bool) -> tuple[Counter[Leaf], list[Built]]:
    """What messages bring into an empty database, and messages built of it; all is taken back."""
    told: Counter[Leaf] = Counter()
    built: list[Built] = []

    def work(unit: Unit) -> None:
        for raw in payloads:
            inner = Unit(unit.session, unit.author, unit.new_id, unit.site)
            written = apply(inner, raw).written
            if again:
                built.extend(rebuild(inner, raw, written))
            for item in written:
                told.update(set(leaves(item)))
        raise Undone

    try:
        gateway.records.unit(Caller("hl7v2"), work)
    except Undone:
        return told, built
    raise AssertionError("nothing was undone")


def leaves(item: Written) -> Iterator[Leaf]:
    """The single values of a resource, each under its path; not its own id, nor the ids that it refers to."""
    kind = item.record.resource["resource_type"]
    drawn = resource.draw(mapping_of(item.record), item.record)
    yield from walk(
        kind, {name: value for name, value in drawn.items() if name not in ("id", "meta", "text")}
    )


def has_no_place(code: str, path: str) -> bool:
    """Whether a structure has no segment for an element: ORM has none for the next of kin."""
    return code == "ORM" and path.startswith(("RelatedPerson", "Patient.contact"))


def walk(path: str, value: Any) -> Iterator[Leaf]:
    if isinstance(value, dict):
        if value.get("system") in OWN:
            return
        for name, part in value.items():
            yield from walk(f"{path}.{name}", part.partition("/")[0] if name == "reference" else part)
    elif isinstance(value, list):
        for part in value:
            yield from walk(path, part)
    else:
        yield path, moment(value)


def moment(value: Any) -> object:
    """A value; of a date what it stands for, in whatever zone it is written."""
    if not isinstance(value, str) or not value[:4].isdecimal() or value[4:5] not in ("-", ""):
        return value
    try:
        return times.bounds(value)
    except ValueError:
        return value


def test_what_a_message_brought_leaves_and_comes_back(gateway: Gateway, corpus: Path) -> None:
    lost: Counter[str] = Counter()
    said = 0
    for path in sorted((corpus / "hl7v2").rglob("*.hl7")):
        for raw in messages(path):
            if not wanted(raw):
                continue
            code = er7.read(raw).message_code
            try:
                first, built = brought(gateway, [raw], again=True)
            except MessageRefused:
                continue
            second, _ = brought(gateway, [without_ours(made) for made in built], again=False)
            said += len(first)
            missing = [leaf for leaf in first if leaf not in second and not has_no_place(code, leaf[0])]
            lost.update(group_of(place) for place, _ in missing)
    assert said > 5000
    more = {name: number for name, number in lost.items() if number > UNSAID.get(name, NOTHING).most}
    assert not more, more
