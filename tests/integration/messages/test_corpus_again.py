"""The whole corpus of real messages, whatever their type, sent and sent again under other control ids.

HL7 v2.5.1, section 2.15.9.10 (MSH-10): https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mappings import er7
from mappings.messages.coverage import MessageRefused
from mappings.messages.handlers import HANDLERS
from tests.integration.messages.test_corpus import messages, none_writes_again

SERVED = {"ADT", "MDM", "OMG", "OMI", "OML", "ORM", "ORU", "SIU"}


def readable(corpus: Path, *kinds: str) -> Iterator[tuple[str, str, bytes]]:
    """The messages of the corpus of types that are served: name, type, bytes."""
    for path in sorted((corpus / "hl7v2").glob("*.*")):
        for number, raw in enumerate(messages(path) if path.name != "INDEX.md" else ()):
            try:
                message = er7.read(raw)
            except er7.NotHl7:
                continue
            kind = message.message_code
            if (kind, message.trigger_event) in HANDLERS and kind in (kinds or SERVED):
                yield f"{path.name}#{number}", kind, raw


def renamed(raw: bytes) -> bytes:
    """The same content under another control id."""
    head, _, rest = raw.partition(b"\r")
    fields = head.split(b"|")
    fields[9] = b"again" + fields[9][:10]
    return b"|".join(fields) + b"\r" + rest


def send(gateway: Any, raw: bytes) -> list[tuple[str, str]]:
    """What a message made anew; nothing where it is refused."""
    try:
        applied = gateway.send(raw)
    except MessageRefused:
        return []
    return [
        (item.record.resource["resource_type"], item.path)
        for item in applied.written
        if item.action == "created"
    ]


def test_the_whole_corpus_sent_again_under_other_control_ids_doubles_nothing(
    corpus: Path, gateway: Any
) -> None:
    made = {name: send(gateway, raw) for name, _, raw in readable(corpus)}
    assert {kind for _, kind, _ in readable(corpus)} == SERVED
    assert sum(bool(items) for items in made.values()) > 60
    again = {name: items for name, _, raw in readable(corpus) if (items := send(gateway, renamed(raw)))}
    assert again == {}


def test_each_appointment_and_document_writes_nothing_when_it_comes_again(corpus: Path, gateway: Any) -> None:
    found = [(name, raw) for name, _, raw in readable(corpus, "SIU", "MDM")]
    assert none_writes_again(gateway, found, {}) > 10
