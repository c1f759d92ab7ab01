"""Every ADT message of the corpus of real messages is applied, once, and renders as valid FHIR.

https://hl7.org/fhir/uv/v2mappings/2024Sep/
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mappings import er7
from mappings.messages.coverage import MessageRefused
from mappings.messages.handlers import HANDLERS
from tests.integration.messages.test_corpus import each_is_applied_and_valid, messages, none_writes_again

REFUSED = {
    "mirth-adt-a40.hl7": "204",
    "ms-ADT-A40-01.hl7": "204",
    "ms-ADT-A11-02.hl7": "204",
    "ms-ADT-A13-01.hl7": "204",
}
"""Messages that take back or merge what is not known, and the condition that tells so."""


def readable(corpus: Path) -> Iterator[tuple[str, bytes]]:
    """The ADT messages of the corpus whose event is known, each with its name."""
    for path in sorted((corpus / "hl7v2").glob("*.*")):
        for number, raw in enumerate(messages(path)):
            try:
                message = er7.read(raw)
            except er7.NotHl7:
                continue
            event = (message.message_code, message.trigger_event)
            if path.name != "INDEX.md" and event[0] == "ADT" and event in HANDLERS:
                yield f"{path.name}#{number}", raw


def test_each_adt_message_of_the_corpus_is_applied_and_renders_as_valid_fhir(
    corpus: Path, gateway: Any
) -> None:
    assert each_is_applied_and_valid(gateway, readable(corpus), REFUSED) > 140


def test_each_adt_message_of_the_corpus_writes_nothing_when_it_comes_again(
    corpus: Path, gateway: Any
) -> None:
    assert none_writes_again(gateway, readable(corpus), REFUSED) > 130


def test_the_corpus_is_applied_one_message_after_the_other(corpus: Path, gateway: Any) -> None:
    refused: dict[str, str] = {}
    for name, raw in readable(corpus):
        try:
            gateway.send(raw)
        except MessageRefused as refusal:
            refused[name] = refusal.warning.code
    # What was taken back is known by then; the merged numbers still are nobody's.
    assert refused == {"mirth-adt-a40.hl7#0": "204", "ms-ADT-A40-01.hl7#0": "204"}
    assert len(gateway.all("Encounter")) > 15
