"""`suture messages`: the store of HL7v2 messages, listed, counted, shown and replayed.

Exit status: 0 done, 1 failed (of a replay: one or more of the messages), 2 wrong usage.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich_click import RichGroup

from gateway.command import Command, console, fail, one_line, read_settings, settings_options
from storage import messages as stored
from storage.messages import DIRECTIONS, STATES, STATUSES

if TYPE_CHECKING:
    from gateway.mllp.replay import Changed, Outcome
    from gateway.mllp.shown import Shown
    from gateway.records import Caller, Records

COLOURS = {"mapped": "green", "ignored": "dim", "warned": "yellow", "refused": "red", "untold": "red"}
_FILTERS = (
    ("--type", "type", "Type, such as ORM or ORM^O01."),
    ("--control-id", "control_id", "Control id (MSH-10)."),
    ("--sender", "sender", "Sending application (MSH-3), as it is written."),
    ("--peer", "peer", "Name of a peer."),
    ("--patient", "patient_id", "FHIR id of a patient whom the message is about."),
    ("--from", "date_from", "Received from this day or time on."),
    ("--to", "date_to", "Received up to this day or time."),
)


@click.group("messages", cls=RichGroup)
def messages() -> None:
    """The HL7v2 messages that were received and sent: list, count, show and replay them."""


class _At(NamedTuple):
    """Where a command works."""

    records: Records
    caller: Caller
    only_known: bool

    def filters(self, told: dict[str, Any]) -> dict[str, Any]:
        """Return what was told of filters as the store takes it."""
        from gateway.mllp.shown import filters_of

        given = {name: value for name, value in told.items() if value is not None}
        return filters_of(given, self.records.site.zone)


@contextmanager
def _at(options: dict[str, Any], user: str | None = None) -> Generator[_At]:
    """Give the records of the migrated database; what is refused becomes one line on stderr."""
    settings = read_settings(options)
    from gateway import serve
    from gateway.app import new_id, now
    from gateway.errors import Problem
    from gateway.records import Caller, Records
    from storage.session import Store

    with one_line(), serve.database(settings, attach=True) as url:
        serve.prepare(url)
        store = Store(url, pool_size=4)
        records = Records(store, now, new_id, settings.site_timezone)
        records.looks.start()
        try:
            yield _At(records, Caller("system", user), settings.mllp_only_known_peers)
        except Problem as problem:
            fail(problem.issues[0].diagnostics)
        finally:
            records.looks.stop()
            store.close()


def _database(command: Command) -> Command:
    return settings_options("data_dir", "database_url", "site_timezone")(command)


def _filtered(*, by_status: bool) -> Callable[[Command], Command]:
    """Options that say which messages are meant."""

    def add(command: Command) -> Command:
        for flag, name, words in reversed(_FILTERS):
            command = click.option(flag, name, help=words)(command)
        if by_status:
            command = click.option("--direction", type=click.Choice(DIRECTIONS), help="Came in, or leaves.")(
                command
            )
            command = click.option("--status", type=click.Choice(STATUSES), help="Status.")(command)
            words = "waiting: not done yet; failed: given up; open: failed and not applied since."
            command = click.option("--state", type=click.Choice(tuple(STATES)), help=words)(command)
        return command

    return add


_DATABASE = ("data_dir", "database_url", "site_timezone")


def _parted(options: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings among options, and the filters."""
    settings = {name: options.pop(name) for name in _DATABASE}
    return settings, options


def _key(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise click.UsageError(f"{text!r} is not the id of a message: suture messages list") from None


# --- list and count ---------------------------------------------------------------------------------------


@messages.command("list")
@_filtered(by_status=True)
@click.option("--limit", type=click.IntRange(1, 10_000), default=50, show_default=True, help="Most to show.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each message instead.")
@_database
def list_command(limit: int, as_json: bool, **options: Any) -> None:
    """List messages, the newest first: those that failed, that wait, or whatever filters leave."""
    settings, told = _parted(options)
    with _at(settings) as at:
        asked = at.filters(told)
        at.records.looks.note(at.caller, "Patient" if "patient_id" in asked else None)
        with at.records.store.connection() as connection:
            rows, total = stored.page(connection, asked, 0, limit)
    if as_json:
        _print_json([_entry(row) for row in rows])
        return
    console().print(_table(rows))
    if total > len(rows):
        click.echo(f"the newest {len(rows)} of {total}")


def _entry(row: stored.Row) -> Any:
    from gateway.native.messages import entry

    return entry(row)


def _print_json(values: Sequence[Any]) -> None:
    from storage.lexical import ENCODER

    for value in values:
        click.echo(ENCODER.encode(value))


def _table(rows: Sequence[stored.Row]) -> Table:
    from gateway.mllp.shown import type_of

    table = Table("id", "received", "status", "type", "control id", "from, to", "answer", "error")
    table.columns[0].no_wrap, table.columns[1].overflow = True, "fold"
    for row in rows:
        table.add_row(
            str(row["id"]),
            row["received_at"].isoformat(sep=" ", timespec="seconds"),
            row["status"] + (" (replay)" if row["replay_of_id"] else ""),
            *(escape(text or "") for text in (type_of(row), row["control_id"])),
            ("to " if row["direction"] == "out" else "")
            + escape(row["peer"] or row["sending_app"] or row["remote_addr"] or ""),
            row["ack_code"] or "",
            escape(_error(row)),
        )
    return table


def _error(row: stored.Row) -> str:
    return " ".join(filter(None, (row["error_code"], row["error_location"], row["error_text"])))


@messages.command("count")
@_filtered(by_status=False)
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object instead.")
@_database
def count_command(as_json: bool, **options: Any) -> None:
    """Count what came from peers by what became of it.

    Received is applied, duplicate, rejected, failed and waiting together. It fails if a message is
    none of these.
    """
    from gateway.mllp.counts import GROUPS, reconcile

    settings, told = _parted(options)
    with _at(settings) as at:
        found = reconcile(at.records, at.filters(told))
    if as_json:
        _print_json([found])
    else:
        table = Table("what", "messages")
        for name in ("received", *sorted(GROUPS.values()), "unexplained"):
            table.add_row(name, str(getattr(found, name)))
        table.add_section()
        table.add_row("open (failed or rejected, not applied since)", str(found.open))
        table.add_row("waiting since", found.oldest_waiting.isoformat() if found.oldest_waiting else "")
        for title, counts in (("replayed", found.replays), ("outgoing", found.outgoing)):
            for name, number in sorted(counts.items()):
                table.add_row(f"{title}: {name}", str(number))
        Console().print(table)
    if found.unexplained:
        fail(f"{found.unexplained} of the messages are not accounted for")


# --- show -------------------------------------------------------------------------------------------------


@messages.command("show")
@click.argument("message_id", metavar="ID")
@click.option("--raw", is_flag=True, help="Print the bytes as they came, and nothing else.")
@click.option("--json", "as_json", is_flag=True, help="Print all of it as JSON instead.")
@_database
def show_command(message_id: str, raw: bool, as_json: bool, **options: Any) -> None:
    """Show a message: the fate of each field, what it wrote, warnings, and what was answered."""
    from gateway.mllp.shown import show
    from gateway.native.messages import whole

    key = _key(message_id)
    with _at(options) as at:
        found = show(at.records, at.caller, key)
    if raw:
        sys.stdout.buffer.write(found.row["raw"])
    elif as_json:
        _print_json([whole(found)])
    else:
        _show(Console(), found)


def _show(console: Console, found: Shown) -> None:
    console.print(_table([found.row]))
    fields = Table("field", "value", "fate", "goes to, or why not")
    for _, fates in found.segments:
        for fate in fates:
            told = "; ".join((*fate.elements, *fate.notes))
            colour = COLOURS[fate.kind]
            fields.add_row(*map(escape, (fate.place, fate.text)), f"[{colour}]{fate.kind}[/]", escape(told))
    for place, text in found.elsewhere:
        fields.add_row(escape(place), "", "[yellow]warned[/]", escape(text))
    console.print(fields)
    if found.written:
        table = Table("segment", "action", "resource", "version")
        for link in found.written:
            resource = f"{link['resource_type']}/{link['fhir_id']}"
            table.add_row(escape(link["segment_path"]), link["action"], resource, str(link["version"]))
        console.print(table)
    if found.answer:
        console.print("answer:", escape(found.answer), sep="\n", highlight=False)
    if found.repeats:
        console.print("repeats and replays:")
        console.print(_table(found.repeats))


# --- replay -----------------------------------------------------------------------------------------------


@messages.command("replay")
@click.argument("message_ids", metavar="[ID]...", nargs=-1)
@_filtered(by_status=True)
@click.option("--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="Most to replay.")
@click.option("--dry-run", is_flag=True, help="Change nothing; show what the replay would change.")
@click.option("--user", help="Act as this account: admin or system.")
@_database
def replay_command(
    message_ids: tuple[str, ...], limit: int, dry_run: bool, user: str | None, **options: Any
) -> None:
    """Apply messages once more, in the order in which they came: those named, or those that filters leave.

    A message that waits is taken up. Any other gets an entry of its own, also one that was applied before.
    Messages that leave (--direction out) and were given up are sent again.
    """
    from gateway.mllp.replay import MOST_REHEARSED, choose, replay

    settings, told = _parted(options)
    keys = [_key(text) for text in message_ids]
    given = {name: value for name, value in told.items() if value is not None}
    if bool(keys) == bool(given):
        raise click.UsageError("name messages by ID, or by filters such as --state open")
    with _at(settings, user) as at:
        asked = {"id": keys} if keys else at.filters(given)
        chosen = choose(at.records, asked, min(limit, MOST_REHEARSED) if dry_run else limit)
        if lost := set(keys) - set(chosen):
            fail(f"there is no message {min(map(str, lost))}, or there are more than --limit {limit}")
        outcomes = replay(at.records, at.caller, chosen, dry_run=dry_run, only_known=at.only_known)
    _show_outcomes(outcomes, dry_run=dry_run)


def _show_outcomes(outcomes: Sequence[Outcome], *, dry_run: bool) -> None:
    console = Console()
    table = Table(
        "message", "type", "control id", "result" if not dry_run else "would be", "changes", "why not"
    )
    table.columns[0].overflow = "fold"
    from gateway.mllp.shown import type_of

    for outcome in outcomes:
        row = outcome.entry
        result = "skipped" if outcome.skipped else row["status"]
        why = outcome.skipped or _error(row)
        texts = (str(outcome.message_id), type_of(row) or "", row["control_id"] or "", result)
        table.add_row(*map(escape, texts), str(len(outcome.changes)), escape(why))
    console.print(table)
    if dry_run:
        for outcome in outcomes:
            _show_changes(console, outcome)
    failed = sum(not outcome.is_done for outcome in outcomes)
    if failed:
        fail(f"{failed} of {len(outcomes)} messages {'would not be' if dry_run else 'were not'} applied")


def _show_changes(console: Console, outcome: Outcome) -> None:
    for change in outcome.changes:
        heading = f"{outcome.message_id}: {change.action} {change.resource} version {change.version}"
        console.print(escape(heading), highlight=False)
        console.print(_differences(change))


def _differences(change: Changed) -> Table:
    from storage.lexical import ENCODER

    table = Table("element", "before", "after")
    for each in change.differences:
        values = (
            "" if value is None else ENCODER.encode(value).decode() for value in (each.before, each.after)
        )
        table.add_row(escape(each.path), *map(escape, values))
    return table
