"""Many patients at once: made of a JSON body, imported from a sheet, exported as a sheet or as JSON."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from litestar import Response, get, post
from litestar.params import FromPath
from litestar.response import Stream

from gateway import errors
from gateway.bulk import give, load
from gateway.bulk.load import Options, Report
from gateway.bulk.rows import Given, Outcome
from gateway.bulk.sheet import Sheet
from gateway.bulk.upload import MULTIPART, Form, received
from gateway.native.bulk_forms import (
    MANY,
    BulkDescribed,
    BulkNew,
    BulkOptions,
    BulkResult,
    BulkUpload,
    PastImportErrors,
    PastImports,
    SheetImport,
    Template,
)
from gateway.native.patient_forms import PatientFilters, PatientRecord
from gateway.native.patients import filters_of
from gateway.native.spreadsheet import CSV
from gateway.native.streams import accepting, streamed
from gateway.native.words import Ask, answer, caller_of, form, query, records_of
from gateway.openapi.call import call
from gateway.records import Caller, Records
from storage import imports

Values = dict[str, Any]
LISTED = 50
"""How many imports are listed."""
JSON = "application/json"
_IMPORTS = ThreadPoolExecutor(2, "import")
"""A worker goes on with two imports at a time, so that long ones leave the threads of others alone."""


@post("/create", status_code=200, opt=call(body=BulkDescribed, answer=BulkResult, examples=MANY))
async def create_patients(request: Ask) -> Response[bytes]:
    """Make up to 1,000 patients, and tell of each what became of it."""
    sent = form(await request.body(), BulkNew)
    return answer(await asyncio.to_thread(_create, records_of(request), caller_of(request), sent))


@post(
    "/import/csv",
    status_code=200,
    request_max_body_size=None,
    before_request=accepting(JSON),
    opt=call(query=BulkOptions, body=BulkUpload, body_type=MULTIPART, answer=SheetImport),
)
async def import_sheet(request: Ask) -> Response[bytes]:
    """Make a patient of each row of a sheet."""
    asked = query(request, BulkOptions)
    async with received(request, request.app.state.settings.max_import_bytes) as sent:
        options = _options(asked, sent.fields)
        caller = caller_of(request)
        work = partial(_import, records_of(request), caller, options, sent)
        return answer(await asyncio.get_running_loop().run_in_executor(_IMPORTS, work))


@get(
    "/export/csv",
    before_request=accepting("text/csv"),
    opt=call(query=PatientFilters, answer=str, media_type="text/csv"),
)
async def export_sheet(request: Ask) -> Stream:
    """Return the patients that filters leave as a sheet, a row each."""
    return await _export(request, give.sheet, CSV, "patients.csv")


@get(
    "/export/json", before_request=accepting(JSON), opt=call(query=PatientFilters, answer=list[PatientRecord])
)
async def export_objects(request: Ask) -> Stream:
    """Return the patients that filters leave as an array, one in each line."""
    return await _export(request, give.objects, JSON, "patients.json")


@get(
    "/template/csv",
    before_request=accepting("text/csv"),
    opt=call(query=Template, answer=str, media_type="text/csv"),
)
async def template(request: Ask) -> Response[bytes]:
    """Return an empty sheet that names each field."""
    asked = query(request, Template)
    headers = {"content-disposition": 'attachment; filename="patients-template.csv"'}
    return Response(give.template(example=asked.example), media_type=CSV, headers=headers)


@get("/imports", opt=call(answer=PastImports))
async def list_imports(request: Ask) -> Response[bytes]:
    """List the newest imports, and how far those are that go on."""
    return answer({"items": await asyncio.to_thread(_listed, records_of(request))})


@get("/imports/{import_id:str}", opt=call(answer=PastImportErrors))
async def get_import(request: Ask, import_id: FromPath[str]) -> Response[bytes]:
    """Return an import with what was wrong."""
    return answer(await asyncio.to_thread(_one, records_of(request), import_id))


def _create(records: Records, caller: Caller, sent: BulkNew) -> Values:
    options = Options(skip_duplicates=sent.skip_duplicates)
    rows = (Given(number, values) for number, values in enumerate(sent.patients, 1))
    with load.recorded(records, caller, options, kind="json") as report:
        outcomes = list(load.load(records, caller, options, rows, report))
    return {**_told(report, options), "results": _results(outcomes)}


def _import(records: Records, caller: Caller, options: Options, sent: Form) -> Values:
    caller = replace(caller, door="csv")
    sheet = Sheet.of(sent.file)
    source = {"kind": "csv", "filename": sent.filename, "sha256": sent.sha256}
    with load.recorded(records, caller, options, **source) as report:
        for _ in load.load(records, caller, options, sheet.rows(), report):
            pass
    return {**_told(report, options), "encoding": sheet.encoding, "delimiter": sheet.delimiter}


def _told(report: Report, options: Options) -> Values:
    counts = report.counts
    valid = counts.total - counts.failed - counts.skipped if options.validate_only else 0
    return {
        "id": str(report.id),
        "validate_only": options.validate_only,
        "skip_duplicates": options.skip_duplicates,
        "total": counts.total,
        "created": counts.created,
        "valid": valid,
        "skipped": counts.skipped,
        "failed": counts.failed,
        "errors": report.errors,
        "unlisted_errors": report.unlisted,
    }


def _results(outcomes: Sequence[Outcome]) -> list[Values]:
    return [
        {"row": each.row, "status": each.status, "mrn": each.mrn or None, "id": each.id} for each in outcomes
    ]


def _options(asked: BulkOptions, fields: dict[str, str]) -> Options:
    """Return the options of a query and of the fields of a form, which win."""
    known = BulkOptions.__struct_fields__
    for name in fields:
        if name not in known:
            raise errors.ValueInvalid(
                f"There is no field {name}; there are: file, {', '.join(known)}.", expression=name
            )
    told = {name: value for name, value in fields.items() if value}
    try:
        return msgspec.convert(asked.told() | told, Options, strict=False)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$.")
        raise errors.ValueInvalid(message, expression=place.rstrip("`")) from error


async def _export(request: Ask, give_as: Any, media_type: str, filename: str) -> Stream:
    filters = filters_of(query(request, PatientFilters).told())
    pieces = give_as(records_of(request), caller_of(request), filters)
    return await streamed(pieces, media_type, filename)


def _listed(records: Records) -> list[Values]:
    with records.store.connection() as connection:
        return imports.newest(connection, LISTED)


def _one(records: Records, import_id: str) -> Values:
    try:
        key = UUID(import_id)
    except ValueError:
        raise errors.NotFound("There is no such import.", expression="id") from None
    with records.store.connection() as connection:
        found = imports.one(connection, key)
    if found is None:
        raise errors.NotFound("There is no such import.", expression="id")
    return found


ROUTES = (
    create_patients,
    import_sheet,
    export_sheet,
    export_objects,
    template,
    list_imports,
    get_import,
)
