"""`suture coverage`: what would become of each field of a file's messages; without a server or a database.

Exit status: 0 every message would be applied, 1 one would be refused (or, where it is asked for, has a field
that is only warned about), 2 wrong usage.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich_click import RichCommand

from gateway import command
from gateway.command import fail, read_settings, settings_options
from gateway.messages import COLOURS

if TYPE_CHECKING:
    from gateway.mllp.outlook import Outlook
    from mappings.messages.fates import Fate

KINDS = tuple(COLOURS)
WIDEST = 40
"""Of so many characters of a field are shown."""


@click.command("coverage", cls=RichCommand)
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--only", type=click.Choice(KINDS), multiple=True, help="Show fields of this fate only.")
@click.option("--values", is_flag=True, help="Show what stands in each field: it may be patient data.")
@click.option("--summary", is_flag=True, help="Show a line for each message, and no fields.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each message instead.")
@click.option("--fail-on-warned", is_flag=True, help="Fail too where a field is only warned about.")
@settings_options("site_timezone")
def coverage_command(
    files: tuple[Path, ...],
    only: tuple[str, ...],
    values: bool,
    summary: bool,
    as_json: bool,
    fail_on_warned: bool,
    **options: Any,
) -> None:
    """Show what would become of each field of the HL7v2 messages in FILES.

    A field is mapped to an element, ignored by a rule that is told, or warned about. The messages are taken
    in turn, as an empty gateway would take them from a sender that it does not know. Of a message that would
    be refused those fields are refused that it was not read as far as.
    """
    found = list(_outlooks(files, ZoneInfo(read_settings(options).site_timezone)))
    if not found:
        fail("no HL7v2 message in these files")
    if as_json:
        for name, number, each in found:
            click.echo(_json(name, number, each, values=values))
    else:
        console = command.console()
        for name, number, each in () if summary else found:
            _show(console, f"{name} {number}", each, only or KINDS, values=values)
        _summarise(console, found)
    refused = sum(each.refusal is not None for _, _, each in found)
    warned = sum(each.counts["warned"] > 0 for _, _, each in found) if fail_on_warned else 0
    if refused or warned:
        told = f"{refused} of the messages would be refused"
        fail(told if not warned else f"{told}, {warned} have fields that are only warned about")


def _outlooks(files: Sequence[Path], zone: ZoneInfo) -> list[tuple[str, int, Outlook]]:
    from gateway.app import new_id, now
    from gateway.mllp.outlook import outlooks
    from gateway.mllp.send import messages_of_file

    sources: list[tuple[str, int, bytes]] = []
    for file in files:
        try:
            payloads = messages_of_file(file.read_bytes())
        except (ValueError, OSError) as error:
            fail(f"{file}: {error}")
        sources += [(file.name, number, payload) for number, payload in enumerate(payloads, 1)]
    made = outlooks((payload for _, _, payload in sources), zone, new_id, now)
    return [(name, number, each) for (name, number, _), each in zip(sources, made, strict=True)]


def _kind(each: Outlook) -> str:
    return f"{each.message.message_code}^{each.message.trigger_event}" if each.message else "?"


def _control_id(each: Outlook) -> str:
    return each.message.control_id if each.message else ""


def _show(console: Console, title: str, each: Outlook, only: Sequence[str], *, values: bool) -> None:
    heading = f"[bold]{escape(title)}[/bold] {escape(_kind(each))} {escape(_control_id(each))}: "
    console.print(heading + escape(each.result), highlight=False)
    table = Table("field", *(["value"] if values else []), "fate", "goes to, or why not")
    for fate in each.fates:
        if fate.kind in only:
            shown = [escape(shortened(fate.text))] if values else []
            table.add_row(escape(fate.place), *shown, f"[{COLOURS[fate.kind]}]{fate.kind}[/]", _told(fate))
    for place, text in each.elsewhere:
        table.add_row(escape(place), *([""] if values else []), "[yellow]warned[/]", escape(text))
    if table.row_count:
        console.print(table, highlight=False)
    for note in each.notes:
        console.print(f"[yellow]note[/]: {escape(note)}", highlight=False)


def _told(fate: Fate) -> str:
    return escape("; ".join((*fate.elements, *fate.notes)))


def shortened(text: str) -> str:
    """Return the beginning of a text, without control characters."""
    plain = "".join(character if character.isprintable() else "�" for character in text[: WIDEST + 1])
    return plain if len(plain) <= WIDEST else f"{plain[: WIDEST - 1]}…"


def _summarise(console: Console, found: Sequence[tuple[str, int, Outlook]]) -> None:
    # Without lines between the columns, so that 80 of a terminal are enough for all headings.
    table = Table(box=SIMPLE_HEAD, padding=0, pad_edge=False, show_edge=False)
    for head in ("message", "type", "id", *KINDS, "result"):
        table.add_column(head, no_wrap=head not in ("message", "id"), overflow="fold")
    for name, number, each in found:
        counts = [str(each.counts[kind]) for kind in KINDS]
        result = f"refused {each.refusal.code}" if each.refusal else "applied"
        told = (f"{name} {number}", _kind(each), shortened(_control_id(each)), *counts, result)
        table.add_row(*map(escape, told))
    console.print(table)
    for name, number, each in found:
        if each.refusal is not None:
            console.print(f"{escape(name)} {number}: {escape(each.result)}", highlight=False)


def _json(name: str, number: int, each: Outlook, *, values: bool) -> str:
    from storage.lexical import ENCODER

    fields = [
        {"place": fate.place, "fate": fate.kind, "elements": fate.elements, "notes": fate.notes}
        | ({"value": fate.text} if values else {})
        for fate in each.fates
    ]
    told = {
        "file": name,
        "message": number,
        "type": _kind(each),
        "control_id": _control_id(each),
        "result": "refused" if each.refusal else "applied",
        "reason": each.result if each.refusal else None,
        "counts": {kind: each.counts[kind] for kind in KINDS},
        "fields": fields,
        "missing": [{"place": place, "text": text} for place, text in each.elsewhere],
        "notes": each.notes,
    }
    return ENCODER.encode(told).decode()
