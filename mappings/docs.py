"""The mapping tables as a page for people, printed from the lines that do the work.

https://hl7.org/fhir/R4/resourcelist.html
"""

from __future__ import annotations

from collections.abc import Iterator

from mappings.common import COMMON
from mappings.element import Choice, Extension, Line, Mapping, One, Part, Rows
from mappings.resources import REGISTRY, WITH_TABLES

HEAD = """# Mappings

What becomes what, printed by `suture docs` from the code. An element without a line is kept beside the row
and comes back as it was written. *Kept in* names a column, or a table whose rows hang on the resource under
that name. Resource types that are not listed here are kept whole, in `other_resource.content`.
"""

Cells = tuple[str, str, str, str]


def table() -> str:
    """Return the page: Markdown, a table per resource type and one for what all have."""
    told = [*(mapping for name, mapping in REGISTRY.items() if name in WITH_TABLES), COMMON]
    return "\n".join([HEAD, *(section(mapping) for mapping in told)])


def section(mapping: Mapping) -> str:
    """Return the table of one mapping."""
    head = [f"## {mapping.type}", "", "| element | kept in | HL7v2 | search |", "| --- | --- | --- | --- |"]
    body = [f"| {' | '.join(cells)} |" for cells in rows(mapping.lines, "", mapping.table.table.name)]
    together = [f"`{made.name}` ({' and '.join(made.parts)})" for made in mapping.composites]
    told = ["", f"Searched together: {', '.join(together)}."] if together else []
    return "\n".join([*head, *body, *told, ""])


def rows(lines: tuple[Line, ...], prefix: str, home: str) -> Iterator[Cells]:
    """Yield the cells of lines, those of child tables among them."""
    for line in lines:
        yield from _rows_of(line, prefix, home)


def _rows_of(line: Line, prefix: str, home: str) -> Iterator[Cells]:
    name = prefix + line.element
    if isinstance(line, One):
        kept = f"`{line.group.table.name}.{line.group.names[0]}`"
        yield _cells(line, name, kept)
    elif isinstance(line, Part):
        yield from rows(line.lines, f"{name}.", home)
    elif isinstance(line, Choice):
        if line.kind is not None:
            yield _cells(line, f"{name}[x]", f"`{home}.{line.kind.names[0]}`")
        yield from rows(line.lines, prefix, home)
    elif isinstance(line, Extension):
        inner = line.lines if line.rows is None else (line.rows,)
        yield from rows(inner, f"{prefix}extension({line.url.rpartition('/')[2]}).", home)
    elif isinstance(line, Rows):
        yield from _rows_of_table(line, name)


def _rows_of_table(line: Rows, name: str) -> Iterator[Cells]:
    mapping = line.mapping
    yield _cells(
        line, name + ("[]" if line.many else ""), f"`{mapping.table.table.name}` {line.at or ''}".strip()
    )
    if "." in mapping.type or mapping.type not in DATATYPES:
        yield from rows(mapping.lines, f"{name}.", mapping.table.table.name)


DATATYPES = frozenset(
    (
        *("Identifier", "HumanName", "ContactPoint", "Address", "CodeableConcept", "Coding", "Reference"),
        *("Annotation", "Attachment", "canonical"),
    )
)


def _cells(line: Line, name: str, kept: str) -> Cells:
    fields = ", ".join(field.field for field in line.v2)
    found = ", ".join(f"`{search.name}` {search.type}" for search in line.search)
    return name, kept, fields, found
