"""`suture import` and `suture export`: patients from a file, and into one.

Exit status of an import: 0 each row is in or was passed over, 1 a row or all of it failed, 2 wrong usage.
"""

from __future__ import annotations

import csv
import gc
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich_click import RichCommand

from gateway.command import Command, fail, one_line, read_settings, settings_options

if TYPE_CHECKING:
    from gateway.bulk.load import Options, Report
    from gateway.bulk.rows import Given, Outcome
    from gateway.records import Caller, Records

SHOWN = 20
"""Of so much that is wrong an import tells on stderr; --errors has all."""
WRITERS = 2
"""Units of work written at the same time: while the database works on one, the next is made."""
STDOUT = "-"
_FORMAT = click.Choice(["csv", "json"])
_USER = "Act as this account: its role decides what may be done, and whether numbers are shown whole."
_FILTERS = (
    "status",
    "sex",
    "city",
    "state",
    "insurance-type",
    "mrn",
    "name",
    "email",
    "phone",
    "date-of-birth-from",
    "date-of-birth-to",
    "created-from",
    "created-to",
)


@contextmanager
def _records(options: dict[str, Any], user: str | None) -> Generator[tuple[Records, Caller]]:
    """Give records of the migrated database, and who acts."""
    settings = read_settings(options)
    from gateway import serve
    from gateway.app import new_id, now
    from gateway.records import Caller, Records
    from storage import users
    from storage.session import Store

    with one_line(), serve.database(settings, attach=True) as url, _seldom_collecting():
        serve.prepare(url)
        store = Store(url, pool_size=WRITERS + 2)
        try:
            with store.connection() as connection:
                if user is not None and users.find(connection, user) is None:
                    fail(f"there is no account {user}: suture user list")
            yield Records(store, now, new_id, settings.site_timezone), Caller("csv", user)
        finally:
            store.close()


@contextmanager
def _seldom_collecting() -> Generator[None]:
    """Collect garbage as seldom as a worker of the gateway does: a batch is let go of as a whole."""
    usual = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(20_000, 20, 50)
    try:
        yield
    finally:
        gc.set_threshold(*usual)
        gc.unfreeze()


@contextmanager
def _told() -> Generator[None]:
    """Turn what is refused into lines on stderr and exit status 1."""
    from gateway.errors import problem_of

    try:
        yield
    except (click.exceptions.ClickException, OSError):
        raise
    except Exception as error:
        problem = problem_of(error)
        if problem.status == 500:
            raise
        for issue in problem.issues[:SHOWN]:
            click.echo(f"suture: {issue.diagnostics}", err=True)
        sys.exit(1)


def _format_of(file: str, told: str | None) -> str:
    if told is not None:
        return told
    return "json" if Path(file).suffix.lower() in (".json", ".ndjson", ".jsonl") else "csv"


# --- import ----------------------------------------------------------------------------------------------


@click.command("import", cls=RichCommand)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--validate-only", is_flag=True, help="Look for what is wrong; write no patient.")
@click.option("--skip-duplicates", is_flag=True, help="Pass over rows whose MRN is in use.")
@click.option("--format", "kind", type=_FORMAT, help="What the file is (default: by its name, else csv).")
@click.option(
    "--errors",
    "errors_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write all that is wrong to this sheet: row, field, message.",
)
@click.option("--user", help=_USER)
@settings_options("data_dir", "database_url", "site_timezone")
def import_command(
    file: Path,
    validate_only: bool,
    skip_duplicates: bool,
    kind: str | None,
    errors_file: Path | None,
    user: str | None,
    **options: Any,
) -> None:
    """Make a patient of each row of FILE: a sheet, or JSON.

    A row that cannot be stored is told, and the others are stored. What broke off can be run again with
    --skip-duplicates: whoever is there is passed over.
    """
    from gateway.bulk.load import Options

    how = Options(validate_only, skip_duplicates, WRITERS)
    with ExitStack() as stack:
        records, caller = stack.enter_context(_records(options, user))
        stack.enter_context(_told())
        content = stack.enter_context(file.open("rb"))
        wrong = stack.enter_context(_errors(errors_file))
        report = _import(records, caller, how, content, _format_of(file.name, kind), wrong)
    _summary(report, how)


def _import(
    records: Records, caller: Caller, how: Options, content: BufferedReader, kind: str, wrong: Wrongs
) -> Report:
    from gateway.bulk import load

    total, rows = _rows(content, kind)
    content.seek(0)
    source = {
        "kind": kind,
        "filename": Path(content.name).name,
        "sha256": hashlib.file_digest(content, "sha256").hexdigest(),
    }
    with load.recorded(records, caller, how, **source) as report, _bar("importing", total) as advance:
        try:
            for outcome in load.load(records, caller, how, rows, report):
                advance()
                wrong(outcome)
        except KeyboardInterrupt:
            done = report.counts.total
            fail(f"broken off after {done:,} rows: run it again with --skip-duplicates to go on")
    return report


def _rows(content: BufferedReader, kind: str) -> tuple[int, Iterable[Given]]:
    """Return how many rows a file has, read through once, and the rows."""
    from gateway.bulk import objects
    from gateway.bulk.sheet import Sheet

    if kind == "json":
        return objects.count(content), objects.objects(content)
    sheet = Sheet.of(content)
    return sheet.total, sheet.rows()


Wrongs = Callable[["Outcome"], None]


@contextmanager
def _errors(file: Path | None) -> Generator[Wrongs]:
    """Give what tells what is wrong with a row: in a sheet, or the first of it on stderr."""
    from gateway.native.spreadsheet import guard

    shown = 0

    def show(outcome: Outcome) -> None:
        nonlocal shown
        for field, message in outcome.wrong:
            shown += 1
            if shown <= SHOWN:
                click.echo(f"row {outcome.row}: {f'{field} ' if field else ''}{message}", err=True)

    if file is None:
        yield show
        if shown > SHOWN:
            click.echo(f"... and {shown - SHOWN:,} more: --errors FILE has all", err=True)
        return
    with file.open("w", encoding="utf-8", newline="") as opened:
        sheet = csv.writer(opened)
        sheet.writerow(("row", "field", "message"))

        def write(outcome: Outcome) -> None:
            sheet.writerows((outcome.row, guard(name), guard(message)) for name, message in outcome.wrong)

        yield write


def _summary(report: Report, how: Options) -> None:
    counts = report.counts
    if how.validate_only:
        done = f"{counts.total - counts.failed - counts.skipped:,} can be imported"
    else:
        done = f"{counts.created:,} created"
    click.echo(f"{counts.total:,} rows: {done}, {counts.skipped:,} skipped, {counts.failed:,} failed")
    if counts.failed:
        sys.exit(1)


@contextmanager
def _bar(doing: str, total: int | None) -> Generator[Callable[[], None]]:
    console = Console(stderr=True)
    columns = (TextColumn(doing), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(doing, total=total)
        yield lambda: progress.advance(task)


# --- export ----------------------------------------------------------------------------------------------


def _filters(command: Command) -> Command:
    for name in reversed(_FILTERS):
        command = click.option(f"--{name}", help=f"Only patients by {name.replace('-', ' ')}.")(command)
    return command


@click.command("export", cls=RichCommand)
@click.argument("file")
@click.option("--format", "kind", type=_FORMAT, help="What to write (default: by the file's name, else csv).")
@click.option("--user", help=_USER)
@_filters
@settings_options("data_dir", "database_url", "site_timezone")
def export_command(file: str, kind: str | None, user: str | None, **options: Any) -> None:
    """Write all patients to FILE, or those that options leave; - is the standard output.

    They are those of one moment, whatever is written meanwhile. FILE is there when it is whole.
    """
    asked = {name: options.pop(name) for name in (each.replace("-", "_") for each in _FILTERS)}
    with _records(options, user) as (records, caller), _told():
        from gateway.bulk import give
        from gateway.native.patients import filters_of

        filters = filters_of({name: value for name, value in asked.items() if value is not None})
        pieces = give.FORMATS[_format_of(file, kind)](records, caller, filters)
        _write(file, pieces)


def _write(file: str, pieces: Iterator[bytes]) -> None:
    if file == STDOUT:
        for piece in pieces:
            sys.stdout.buffer.write(piece)
        return
    path = Path(file)
    # Beside the file, so that it takes its name in one step; readable by its owner alone, like all of these.
    descriptor, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as opened, _bar("exporting", None) as advance:
            for piece in pieces:
                opened.write(piece)
                advance()
        Path(draft).replace(path)
    except BaseException:
        Path(draft).unlink(missing_ok=True)
        raise
