"""TXA and its OBX as a DocumentReference, found again by the document's number (TXA-12).

https://hl7.org/fhir/uv/v2mappings/ConceptMap-segment-txa-to-documentreference.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mappings.documents import is_place
from mappings.messages.aside import take_back
from mappings.messages.coverage import MessageRefused
from mappings.messages.moments import moment_text
from mappings.messages.observation import About, observation
from mappings.messages.people import people
from mappings.messages.report_text import (
    FILE_KINDS,
    TEXT_KINDS,
    kind_of_value,
    text_form,
    text_lines,
    title_of,
)
from mappings.messages.systems import carriers_of, numbered_by
from mappings.messages.workspace import refer
from mappings.resources.document_reference import AVAILABILITY, COMPLETION
from mappings.v2attachments import content_type, encapsulated, pointer
from mappings.v2types import compact, ei

if TYPE_CHECKING:
    from mappings.er7 import Segment
    from mappings.messages.mdm_groups import MdmPart
    from mappings.messages.workspace import Desk
    from storage.record import Record

OVER = ("superseded", "entered-in-error")
LATE = "The document is final; this preliminary one was not applied to it"
OF_DOCUMENT = "Lines and files are parts of one document, whose status is that of TXA-17"
WORDS = TEXT_KINDS | {"ST", ""}
"""Types of OBX (OBX-2) that are lines of the document's text."""


class Event(NamedTuple):
    """What an event does: how the document relates to its parent (TXA-13; empty where the event does not
    say), and whether it is taken back.
    """

    relation: str = ""
    takes_back: bool = False


EVENTS = {
    **dict.fromkeys(("T01", "T02", "T03", "T04"), Event()),
    **dict.fromkeys(("T05", "T06"), Event("appends")),
    **dict.fromkeys(("T07", "T08", "T09", "T10"), Event("replaces")),
    "T11": Event(takes_back=True),
}
"""T01 to T04 tell of a document and its status, T05 and T06 of an addendum, T07 and T08 of an edited one, T09
and T10 of a replacement, T11 takes one back; the even ones bring what it says."""


def find_document(desk: Desk, txa: Segment, about: Record) -> Record | None:
    """Return the document with the number of TXA-12, None where there is none.

    Raises MessageRefused: 101 where there is no number, 205 where it is of another patient's document.
    """
    number = number_of(desk, txa, 12)
    if number is None:
        raise MessageRefused("101", "TXA", txa.number, 12, text="The document has no number")
    for record in carriers_of(desk, "DocumentReference", number):
        if desk.get(record, "subject") not in (None, refer(about)):
            raise MessageRefused("205", "TXA", txa.number, 12, text="The document is of another patient")
        return desk.meet(record, "TXA")
    return None


def number_of(desk: Desk, txa: Segment, place: int) -> dict[str, Any] | None:
    """Return a number of a document, with a system; an EI whose first component is empty is named by its
    universal id.
    """
    field = txa.field(place)
    if field.is_null:
        return None
    universal = field.first.component(3).strip()
    made: dict[str, Any] | None = ei(field.first, desk.context) or compact(value=universal)
    return numbered_by(desk, made) if made else None


def document(
    desk: Desk,
    part: MdmPart,
    record: Record | None,
    about: Record,
    visit: Record | None,
    orders: list[Record],
) -> Record:
    """Return the DocumentReference that a message tells of, made where ``record`` is None.

    What the message does not tell stays. Raises MessageRefused (204) where an unknown document is taken back.
    """
    txa, event = part.txa, EVENTS[desk.message.trigger_event]
    if record is None and event.takes_back:
        raise MessageRefused("204", "TXA", txa.number, 12, text="The document is not known")
    if record is not None and _is_late(desk, record, txa, event):
        desk.coverage.tell(txa, 17, LATE)
        take_back(desk.coverage, LATE, part.segments)
        return record
    record = record or desk.make("DocumentReference", "TXA")
    desk.own(record, txa, *part.others)
    number = number_of(desk, txa, 12)
    if number and desk.get(record, "masterIdentifier") is None:
        # By the second one it is found again: numbers are looked for among identifiers.
        desk.put(record, "masterIdentifier", number)
        desk.add(record, "identifier", number)
    desk.coverage.map(txa, 12, "DocumentReference.masterIdentifier")
    desk.put(record, "subject", refer(about))
    before = desk.get(record, "status")
    desk.fill(record, txa, skip=("masterIdentifier",))
    _see_codes(desk, txa)
    _status(desk, record, txa, before, event)
    _people(desk, record, txa)
    _relate(desk, record, txa, about, event.relation)
    within = event.relation == "appends" and number_of(desk, txa, 13) in (None, number)
    _content(desk, record, part, appends=within)
    _context(desk, record, part, about, visit, orders)
    return record


def _is_late(desk: Desk, record: Record, txa: Segment, event: Event) -> bool:
    """Tell whether a document is final that a message calls preliminary, and does not edit or replace."""
    told = COMPLETION.from_v2(txa.field(17).first, desk.context)
    lesser = told == "preliminary" and desk.get(record, "docStatus") == "final"
    return lesser and event.relation != "replaces" and not event.takes_back


def _see_codes(desk: Desk, txa: Segment) -> None:
    """Warn of a status of no HL7 table (0271, 0273): what the document's is stays as it was."""
    for number, table in ((17, COMPLETION), (19, AVAILABILITY)):
        code = txa.field(number).first.component(1).strip().upper()
        if code and not txa.field(number).is_null and code not in table.v2:
            desk.coverage.warn("103", txa, number, text=f"TXA-{number} has a code of no HL7 table")


def _status(desk: Desk, record: Record, txa: Segment, before: str | None, event: Event) -> None:
    """Set the status; a document that was replaced or taken back does not become current again."""
    if event.takes_back:
        desk.put(record, "status", "entered-in-error")
    elif before in OVER and desk.get(record, "status") == "current":
        desk.put(record, "status", before)
        desk.coverage.tell(txa, 19, "The document was replaced or taken back, and stays so")
    elif desk.get(record, "status") is None:
        desk.put(record, "status", "current")


def _people(desk: Desk, record: Record, txa: Segment) -> None:
    """Set who wrote it (TXA-9, else TXA-5), and who stands for it: who signed (TXA-22), else who shall
    (TXA-10).
    """
    authors = people(desk, txa, 9, "DocumentReference.author") or people(
        desk, txa, 5, "DocumentReference.author"
    )
    if authors:
        desk.put(record, "author", authors)
    to = "DocumentReference.authenticator"
    found = people(desk, txa, 22, to) or people(desk, txa, 10, to)
    if found:
        desk.put(record, "authenticator", found[0])


def _relate(desk: Desk, record: Record, txa: Segment, about: Record, relation: str) -> None:
    """Relate the document to its parent (TXA-13), appended to it where nobody tells otherwise; one that is
    replaced is superseded.
    """
    number = number_of(desk, txa, 13)
    if number is None or number == desk.get(record, "masterIdentifier"):
        return
    desk.coverage.map(txa, 13, "DocumentReference.relatesTo")
    known = [
        item
        for item in carriers_of(desk, "DocumentReference", number)
        if desk.get(item, "subject") == refer(about) and item is not record
    ]
    target = refer(known[0]) if known else {"type": "DocumentReference", "identifier": number}
    present: list[dict[str, Any]] = desk.get(record, "relatesTo") or []
    mine = [
        item for item in present if item["target"] == target or item["target"].get("identifier") == number
    ]
    wanted = {"code": relation or next((item["code"] for item in mine), "appends"), "target": target}
    if wanted not in present:
        desk.put(record, "relatesTo", [*(item for item in present if item not in mine), wanted])
    if relation == "replaces" and known and desk.get(known[0], "status") == "current":
        desk.put(desk.meet(known[0], "TXA"), "status", "superseded")


def _content(desk: Desk, record: Record, part: MdmPart, *, appends: bool) -> None:
    """Set what the document says: texts, and files within the message or pointed at; what is there stays
    where the message brings none, or brings an addendum under the document's own number.
    """
    told, label = _attachments(desk, part), _label(desk, part.txa)
    present: list[dict[str, Any]] = desk.get(record, "content") or []
    if not told and present:
        return
    kept = [item for item in present if appends and _says(item["attachment"]) != (None, None)]
    known = [_says(item["attachment"]) for item in kept]
    made = [label | item | _title(label, item) for item in told] or [label]
    found = [*kept, *({"attachment": item} for item in made if _says(item) not in known)]
    if found != present:
        desk.put(record, "content", found)


def _says(attachment: dict[str, Any]) -> tuple[str | None, str | None]:
    return attachment.get("data"), attachment.get("url")


def _label(desk: Desk, txa: Segment) -> dict[str, Any]:
    """Return what TXA tells of the file: type (TXA-3), name (TXA-16, else its title), when it was written."""
    told: dict[str, tuple[int, str | None]] = {
        "contentType": (3, content_type(txa.field(3).first.component(1), "")),
        "title": (16, txa.field(16).text.strip() or None),
        "creation": (6, moment_text(txa, 6, desk.context)),
    }
    made: dict[str, Any] = {}
    for name, (number, value) in told.items():
        if value and not txa.field(number).is_null:
            made[name] = value
            desk.coverage.map(txa, number, f"DocumentReference.content.attachment.{name}")
    if "title" not in made and txa.field(25) and not txa.field(25).is_null:
        made["title"] = txa.field(25).first.text.strip()
    return made or {"title": txa.field(12).first.component(1) or "Document"}


def _title(label: dict[str, Any], item: dict[str, Any]) -> dict[str, Any]:
    title = label.get("title") or item.get("title")
    return {"title": title} if title else {}


def _attachments(desk: Desk, part: MdmPart) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for lines in text_lines(part.observations, WORDS):
        text = "\n".join(line.field(5).lines for line in lines).strip("\n")
        if not text:
            continue
        made.append(text_form(desk, lines[0], text))
        for line in lines:
            _took(desk, line)
    files = [item.segment for item in part.observations if kind_of_value(item.segment) in FILE_KINDS]
    return [*made, *(found for obx in files if (found := _file(desk, obx)))]


def _file(desk: Desk, obx: Segment) -> dict[str, Any] | None:
    if obx.field(5).is_null:
        return None
    read = encapsulated if kind_of_value(obx) == "ED" else pointer
    try:
        made: dict[str, Any] | None = read(obx.field(5).first)
    except ValueError:
        desk.coverage.warn("102", obx, 5, text="The file is not of its encoding, and was not taken")
        return None
    if made and not is_place(made.get("url", "")):
        desk.coverage.warn("102", obx, 5, text="The pointer says no place of a file, and was not taken")
        return None
    if made:
        _took(desk, obx)
        return made | (compact(title=title_of(desk, obx)) or {})
    return None


def _took(desk: Desk, obx: Segment) -> None:
    for number in (2, 3, 5):
        if obx.field(number):
            desk.coverage.map(obx, number, "DocumentReference.content.attachment")
    for number in (4, 11):
        if obx.field(number):
            desk.coverage.ignore(obx, number, OF_DOCUMENT)


def _context(
    desk: Desk, record: Record, part: MdmPart, about: Record, visit: Record | None, orders: list[Record]
) -> None:
    """Set what the document belongs to: visit, time (TXA-4), orders, and values beside the text."""
    present: dict[str, Any] = desk.get(record, "context") or {}
    made = dict(present)
    if visit is not None and refer(visit) not in present.get("encounter", ()):
        made["encounter"] = [*present.get("encounter", ()), refer(visit)]
    at = moment_text(part.txa, 4, desk.context)
    if at:
        made["period"] = present.get("period", {}) | {"start": at}
        desk.coverage.map(part.txa, 4, "DocumentReference.context.period")
    related = [refer(item) for item in (*orders, *_values(desk, record, part, about, visit))]
    known: list[dict[str, Any]] = present.get("related", [])
    added = [item for place, item in enumerate(related) if item not in (*known, *related[:place])]
    if added:
        made["related"] = [*known, *added]
    if made != present:
        desk.put(record, "context", made)


def _values(desk: Desk, record: Record, part: MdmPart, about: Record, visit: Record | None) -> list[Record]:
    """Make the OBX that are no lines of text and no files observations that the document relates to."""
    found = [item for item in part.observations if kind_of_value(item.segment) not in WORDS | FILE_KINDS]
    if not found:
        return []
    context = About(about, "OBX", visit, present=desk.referred(record, "context.related", "Observation"))
    return [observation(desk, item, context) for item in found]
