"""Resources of types without tables, in a message: made and changed whole, with the copies that search needs.

https://hl7.org/fhir/R4/resourcelist.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings import resource
from mappings.common import COMMON
from mappings.messages.workspace import mapping_of

if TYPE_CHECKING:
    from mappings.messages.workspace import Desk
    from storage.record import Record

Content = dict[str, Any]


def content(record: Record) -> Content:
    """Return the elements of a resource that is kept whole, but for those that every resource has."""
    return record.main["content"] or {}


def make_whole(desk: Desk, resource_type: str, value: Content, path: str) -> Record:
    """Return the record of a new resource of a type that is kept whole; ``path`` is what tells of it."""
    record = desk.make(resource_type, path)
    resource.read(mapping_of(record), value, desk.workspace.new_id, record)
    return record


def put_whole(desk: Desk, record: Record, value: Content) -> None:
    """Let a resource that is kept whole have other content; what every resource has stays."""
    if value == content(record):
        return
    mapping = mapping_of(record)
    # One that this message made has nothing but its content yet.
    drawn = resource.draw(mapping, record) if record.resource["last_updated"] else {}
    kept = {name: item for name, item in drawn.items() if name in COMMON.by_element}
    record.children.clear()
    record.links.clear()
    record.resource["remainder"] = None
    resource.read(mapping, kept | value, desk.workspace.new_id, record)
