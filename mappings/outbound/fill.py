"""The fields of segments from a resource, by the lines of its mapping.

https://hl7.org/fhir/uv/v2mappings/2024Sep/segment_maps.html
"""

from __future__ import annotations

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from mappings.convert import Around
from mappings.element import V2, Choice, Extension, Line, Mapping, Part, Rows, V2Context, Value
from mappings.outbound.parts import Value as Resource
from mappings.outbound.parts import of_url, part, text
from mappings.outbound.sheet import Sheet
from mappings.outbound.spelling import spell
from mappings.v2lines import v2_lines, whole

if TYPE_CHECKING:
    from collections.abc import Mapping as MappingType
    from uuid import UUID


@dataclass(frozen=True)
class Piece:
    """A resource that a message is made of, as readers get it, and what is kept of messages about it.

    ``sub_id`` tells an observation from others with its code (OBX-4); ``key`` and ``version`` are for whoever
    keeps what messages were made of.
    """

    resource: Resource
    kept: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    sub_id: str | None = None
    key: UUID | None = None
    version: int = 0

    @property
    def name(self) -> str:
        """Type and id, as a relative reference has them."""
        return f"{self.resource['resourceType']}/{self.resource['id']}"

    def sheet(self, segment: str, count: int = 1) -> Sheet:
        """Return the n-th segment of a name, with what is kept of it."""
        place = segment if count == 1 else f"{segment}[{count}]"
        return Sheet(segment, {int(number): raw for number, raw in self.kept.get(place, {}).items()})

    def others(self, *names: str) -> list[Sheet]:
        """Return segments of these names of which nothing is mapped, as they are kept, in their order."""
        found: list[tuple[int, int, Sheet]] = []
        for place in self.kept:
            name, _, rest = place.partition("[")
            if name in names or (not names and name.startswith("Z")):
                count = int(rest.rstrip("]") or 1)
                rank = names.index(name) if name in names else 0
                found.append((count, rank, self.sheet(name, count)))
        return [sheet for *_, sheet in sorted(found, key=lambda item: item[:2])]


@dataclass(frozen=True)
class Pieces:
    """All that a message is made of: the resources by type and id, and how its fields are read."""

    by_name: MappingType[str, Piece]
    context: V2Context

    def get(self, reference: Resource) -> Piece | None:
        """Return the resource that a Reference names, None where it is not here."""
        return self.by_name.get("/".join(text(reference, "reference").split("/")[:2]))

    def all(self, references: Iterable[Resource], resource_type: str) -> list[Piece]:
        """Return the resources of a type that References name, as far as they are here."""
        found = [self.get(item) for item in references]
        return [piece for piece in found if piece and piece.resource["resourceType"] == resource_type]


def value_of(resource: Resource, line: Line, around: Around) -> Value:
    """Return the value of an element, None where the resource has none; of a choice ``{key: value}``."""
    at = resource
    for step in around:
        if isinstance(step, Extension):
            at = of_url(at, step.url)
        elif isinstance(step, Part):
            at = part(at, step.element)
    if isinstance(line, Choice):
        return {key: at[key] for key in line.keys if key in at} or None
    return at.get(line.element)


def fill(
    sheets: Iterable[Sheet],
    mapping: Mapping,
    resource: Resource,
    context: V2Context,
    *,
    skip: Container[str] = (),
    leave: Container[str] = (),
) -> None:
    """Set every field of segments that a line of the mapping names and that can say what the resource has.

    ``skip`` are elements, ``leave`` fields that the caller sets.
    """
    by_name = {sheet.name: sheet for sheet in sheets}
    for line, found, around in v2_lines(mapping, tuple(by_name)):
        if line.element in skip or whole(line, around).element in skip:
            continue
        fields = [item for item in found if item.field not in leave]
        value = value_of(resource, line, around)
        if value is not None:
            _write(by_name, line, fields, value, context)


def _write(sheets: dict[str, Sheet], line: Line, fields: list[V2], value: Value, context: V2Context) -> None:
    if isinstance(line, Rows) and line.many:
        for item in cast("list[Value]", value):
            _place(sheets, line, fields, item, context)
        return
    for item in fields:
        sheet, number = sheets[item.place[0]], item.place[1]
        told = value.get(item.part) if item.part else value
        kept = sheet.kept.get(number, "")
        spelt = spell(line, item, told, context, [kept] if kept and "~" not in kept else ())
        if spelt.text:
            sheet.lay(number, spelt.text)


def _place(sheets: dict[str, Sheet], line: Line, fields: list[V2], item: Value, context: V2Context) -> None:
    """Add an item of an array to the field that can say the most of it, in the fewest words."""
    found = [(spell(line, field, item, context), field.place) for field in fields]
    if not found:
        return
    spelt, (segment, number) = max(found, key=lambda pair: (pair[0].said, -len(pair[0].text)))
    if spelt.text:
        sheets[segment].add(number, spelt.text)
