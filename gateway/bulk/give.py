"""All patients that filters leave as a file, in pieces: one snapshot, whatever is written meanwhile."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from contextlib import closing
from typing import Any

from gateway import audit
from gateway.bulk.cells import kept
from gateway.native.spreadsheet import lines
from gateway.native.streams import headed, in_batches
from gateway.records import Caller, Records
from gateway.unit import Unit
from mappings import flat
from storage import flat as stored
from storage.lexical import ENCODER
from storage.model.flat import FIELDS
from storage.model.ledger import AuditEvent

Pieces = Generator[bytes]
WRITABLE = tuple(field for field in FIELDS if not field.read_only)


def template(*, example: bool = False) -> bytes:
    """Return a sheet that names each field that can be imported, with a row that shows them on request."""
    row = [kept(field.example) for field in WRITABLE]
    return lines([[field.name for field in WRITABLE], *([row] if example else [])])


def sheet(records: Records, caller: Caller, filters: Mapping[str, Any]) -> Pieces:
    """Yield a sheet of patients, a row each, which an import reads back as it was. Raises Forbidden."""
    role = _begun(records, caller, "csv", filters)
    # Closed before the connection is given back: its transaction ends with it, whoever stops asking.
    with records.store.connection() as connection, closing(stored.stream(connection, filters)) as found:
        rows = (flat.masked(row, role) for row in found)
        sheet_of = in_batches(([kept(row[name]) for name in stored.NAMES] for row in rows), lines)
        yield from headed(lines([stored.NAMES]), sheet_of)


def objects(records: Records, caller: Caller, filters: Mapping[str, Any]) -> Pieces:
    """Yield a JSON array of patients, one in each line. Raises Forbidden."""
    role = _begun(records, caller, "json", filters)

    def written(rows: Iterator[dict[str, Any]]) -> bytes:
        return b"".join(b",\n" + ENCODER.encode(flat.masked(row, role)) for row in rows)

    with records.store.connection() as connection, closing(stored.stream(connection, filters)) as found:
        begun = False
        for piece in in_batches(found, written):
            yield piece if begun else b"[" + piece[1:]
            begun = True
        yield b"\n]\n" if begun else b"[]\n"


def _begun(records: Records, caller: Caller, form: str, filters: Mapping[str, Any]) -> str | None:
    """Tell the trail of an export, by the names of its filters, and return the role of who asks."""

    def work(unit: Unit) -> str | None:
        told = {"exported": form, "by": sorted(filters.keys() & stored.FILTERS.keys())}
        unit.writer.add(AuditEvent, audit.event(unit, "R", None, resource_type="Patient", detail=told))
        unit.flush()
        return unit.role

    return records.unit(caller, work)


FORMATS = {"csv": sheet, "json": objects}
