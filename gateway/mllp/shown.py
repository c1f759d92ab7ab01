"""A message of the store as people look at it: bytes, fields with their fates, what it wrote, its answer.

HL7 v2.5.1, section 2.5 (segments and fields):
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from gateway import errors
from gateway.mllp.replay import Changed, changed
from mappings import er7, times
from mappings.er7 import Message, NotHl7
from mappings.messages.fates import Fate, elsewhere, fates
from storage import messages

if TYPE_CHECKING:
    from datetime import tzinfo

    from gateway.records import Caller, Records
    from storage.messages import Row

_BYTES = [chr(byte) if 32 <= byte < 127 else f"\\x{byte:02x}" for byte in range(256)]
_BYTES[13], _BYTES[10] = "\\r\n", "\\n\n"


@dataclass(frozen=True)
class Shown:
    """A message, all of it: its entry, what was read of it (None: nothing could be), each segment with the
    fates of its fields, warnings about what it has not, what it wrote and changed, and what repeats it.
    """

    row: Row
    message: Message | None
    segments: list[tuple[str, list[Fate]]]
    elsewhere: list[tuple[str, str]]
    written: list[Row]
    changes: list[Changed]
    repeats: list[Row]

    @property
    def text(self) -> str:
        """The message decoded, a segment in each line."""
        if self.message is None:
            return plain(self.row["raw"])
        return "\n".join(segment.text for segment in self.message.segments)

    @property
    def answer(self) -> str | None:
        """What was answered, decoded."""
        raw = self.row["ack_raw"]
        return None if raw is None else plain(raw)


def plain(raw: bytes) -> str:
    """Return bytes as lines of text, whatever they are: what is no UTF-8 is told in hex."""
    return raw.decode("utf-8", "backslashreplace").replace("\r\n", "\n").replace("\r", "\n")


def visible(raw: bytes) -> str:
    """Return bytes one by one, those that are no printable ASCII told in hex; lines break where theirs do."""
    return "".join(_BYTES[byte] for byte in raw).replace("\\r\n\\n\n", "\\r\\n\n")


def show(records: Records, caller: Caller, key: UUID) -> Shown:
    """Return a message of the store, and note that its patients were looked at. Raises NotFound."""
    with records.store.connection() as connection:
        row = messages.one(connection, key)
        if row is None:
            raise errors.NotFound("There is no such message.", expression="id")
        written = messages.links(connection, key)
        changes = [changed(version) for version in messages.changes(connection, key)]
        repeats = messages.repeats(connection, key)
    patients = {link["resource_id"] for link in written if link["resource_type"] == "Patient"}
    for patient in patients or {None}:
        records.looks.note(caller, "Patient" if patient else None, patient)
    message = _read(row)
    return Shown(
        row,
        message,
        _segments(message, row) if message else [],
        elsewhere(message, row["coverage"]) if message else [],
        written,
        changes,
        repeats,
    )


def _read(row: Row) -> Message | None:
    try:
        return er7.read(row["raw"], row["charset"])
    except (NotHl7, ValueError):
        return None


def _segments(message: Message, row: Row) -> list[tuple[str, list[Fate]]]:
    found: dict[str, list[Fate]] = {
        f"{segment.name}[{segment.number}]": list[Fate]() for segment in message.segments
    }
    refused = f"{row['error_code']}: {row['error_text']}" if row["status"] in ("rejected", "error") else None
    for fate in fates(message, row["coverage"], refused):
        found[fate.place.rpartition("-")[0]].append(fate)
    return list(found.items())


def type_of(row: Row) -> str | None:
    """Return the type of a message: ``ORM^O01``; None where its header could not be read."""
    told = [part for part in (row["message_type"], row["trigger_event"]) if part]
    return "^".join(told) or None


def filters_of(told: Mapping[str, Any], zone: tzinfo) -> dict[str, Any]:
    """Return filters as the store takes them: ``type`` is ``ORM`` or ``ORM^O01``, ``date_from`` and
    ``date_to`` are dates, perhaps with a time. Raises UnsupportedParameterValue.
    """
    found = dict(told)
    code, _, event = found.pop("type", "").partition("^")
    found |= {name: value for name, value in (("message_type", code), ("trigger_event", event)) if value}
    for end, name in enumerate(("date_from", "date_to")):
        if name in found:
            found[name] = _bound(name, found[name], end, zone)
    return found


def _bound(name: str, text: str, end: int, zone: tzinfo) -> Any:
    try:
        return times.bounds(times.from_form(text, zone))[end]
    except ValueError as error:
        raise errors.UnsupportedParameterValue(f"{name} is no date", expression=name) from error
