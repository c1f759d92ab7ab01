"""The research registry as a file: a sheet with a row for each case, or the stored resources line by line."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import closing

from litestar import get
from litestar.params import FromPath
from litestar.response import Stream

from gateway.native.case_forms import PATHS
from gateway.native.case_lists import FILTERS, tests
from gateway.native.research import kind_named
from gateway.native.spreadsheet import CSV, lines
from gateway.native.streams import Pieces, accepting, headed, in_batches, streamed
from gateway.native.words import Ask, caller_of, records_of
from gateway.openapi.call import call
from gateway.records import Caller, Records
from mappings.research import sheet
from storage import registry
from storage.model.research import CaseKind
from storage.registry import Test

NDJSON = "application/fhir+ndjson"
_TOLD = {"query": tuple(FILTERS.values()), "words": {"kind": PATHS}}


@get(
    "/{kind:str}/export/csv",
    before_request=accepting("text/csv"),
    opt=call(answer=str, media_type="text/csv", **_TOLD),
)
async def export_sheet(request: Ask, kind: FromPath[str]) -> Stream:
    """Return a row for each case, with its scores by instrument and time point."""
    named = kind_named(kind)
    asked = tests(request, named)
    await asyncio.to_thread(_see, records_of(request), caller_of(request))
    return await streamed(pieces_of_sheet(records_of(request), named, asked), CSV, f"{kind}.csv")


@get(
    "/{kind:str}/export/ndjson",
    before_request=accepting(NDJSON, "application/ndjson", "application/x-ndjson"),
    opt=call(answer=str, media_type=NDJSON, **_TOLD),
)
async def export_resources(request: Ask, kind: FromPath[str]) -> Stream:
    """Return the Observations of cases, each followed by its members, one in each line."""
    named = kind_named(kind)
    asked = tests(request, named)
    await asyncio.to_thread(_see, records_of(request), caller_of(request))
    return await streamed(pieces_of_resources(records_of(request), named, asked), NDJSON, f"{kind}.ndjson")


def _see(records: Records, caller: Caller) -> None:
    """See that the caller may read. Raises Forbidden."""
    records.unit(caller, lambda _: None)


def pieces_of_sheet(records: Records, kind: CaseKind, asked: Sequence[Test]) -> Pieces:
    """Yield a sheet of the cases that filters leave, a row each, as they are when it begins."""
    with records.store.connection() as connection:
        chosen = sheet.scored_here(kind, registry.instruments(connection))
        # Closed before the connection is given back: its transaction ends with it, whoever stops asking.
        with closing(registry.stream(connection, kind, asked)) as cases:
            rows = in_batches(sheet.rows(kind, chosen, cases), lines)
            yield from headed(lines([sheet.header(kind, chosen)]), rows)


def pieces_of_resources(records: Records, kind: CaseKind, asked: Sequence[Test]) -> Pieces:
    """Yield the stored bytes of the cases that filters leave and of their members, one in each line."""
    with (
        records.store.connection() as connection,
        closing(registry.contents(connection, kind, asked)) as stored,
    ):
        yield from in_batches(stored, lambda found: b"".join(content + b"\n" for content in found))


ROUTES = (export_sheet, export_resources)
