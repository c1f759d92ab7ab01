"""The `suture` command. Exit status 0: done, 1: failed (one line on stderr says why), 2: wrong usage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich_click import RichGroup

from gateway.bulk.commands import export_command, import_command
from gateway.command import fail, one_line, read_settings, settings_options
from gateway.coverage import coverage_command
from gateway.destinations import destination
from gateway.messages import messages, replay_command
from gateway.peers import peer
from gateway.users import user

if TYPE_CHECKING:
    from gateway.mllp.send import Ack


def main() -> None:
    """Run the command line of this process."""
    suture(prog_name="suture")


@click.group(cls=RichGroup)
@click.version_option(package_name="suture")
def suture() -> None:
    """FHIR R4 and HL7v2 gateway for surgical services."""


suture.add_command(user)
suture.add_command(peer)
suture.add_command(destination)
suture.add_command(import_command)
suture.add_command(export_command)
suture.add_command(coverage_command)
suture.add_command(messages)
suture.add_command(replay_command)


@suture.command("serve")
@settings_options()
def serve_command(**options: Any) -> None:
    """Start the database and the gateway; stop both on Ctrl-C or SIGTERM."""
    settings = read_settings(options)
    from gateway import log, serve

    log.configure(settings.log_format)
    with one_line():
        serve.serve(settings)


@suture.command("migrate")
@settings_options("data_dir", "database_url")
@click.option("--to", "revision", default="head", show_default=True, help="Revision to stop at.")
def migrate_command(revision: str, **options: Any) -> None:
    """Bring the database to the relational model of this release."""
    settings = read_settings(options)
    from gateway import serve
    from storage import migrate

    with one_line(), serve.database(settings, attach=True) as url:
        serve.prepare(url, revision)
        click.echo(f"the database is at revision {migrate.current(url) or 'none'}")


@suture.command("send")
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--to", "receiver", required=True, metavar="HOST:PORT", help="Where an MLLP listener is.")
@click.option("--timeout", default=30.0, show_default=True, help="Seconds to connect, and for each answer.")
def send_command(files: tuple[Path, ...], receiver: str, timeout: float) -> None:
    """Send HL7v2 messages over MLLP and show the answers; fails unless all are AA or CA."""
    host, port = address(receiver)
    with one_line(f"sending to {receiver}: "):
        refused = _send_files(files, host, port, timeout)
    if refused:
        fail(f"{refused} of the messages were not accepted")


def address(text: str) -> tuple[str, int]:
    """Host and port of `HOST:PORT`; an IPv6 host stands in brackets. Raises click.UsageError."""
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65536:
        raise click.UsageError(f"{text!r} is not HOST:PORT, such as 127.0.0.1:2575")
    return host.strip("[]"), int(port)


def _send_files(files: tuple[Path, ...], host: str, port: int, timeout: float) -> int:
    from gateway.mllp.send import send

    sources = [(file, payload) for file in files for payload in _messages(file)]
    if not sources:
        fail("no HL7v2 message in these files")
    answers: list[Ack] = []
    try:
        console = Console(stderr=True)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            bar = progress.add_task("sending", total=len(sources))

            def on_ack(ack: Ack) -> None:
                answers.append(ack)
                progress.advance(bar)

            send(host, port, [payload for _, payload in sources], timeout, on_ack)
    finally:
        _show(Table("file", "control id", "answer", "text"), [file.name for file, _ in sources], answers)
    return sum(not ack.accepted for ack in answers)


def _messages(file: Path) -> list[bytes]:
    from gateway.mllp.send import messages_of_file

    try:
        return messages_of_file(file.read_bytes())
    except ValueError as error:
        fail(f"{file}: {error}")


def _show(table: Table, names: list[str], answers: list[Ack]) -> None:
    # After a broken connection there are fewer answers than messages.
    for name, ack in zip(names, answers, strict=False):
        table.add_row(name, ack.control_id, ack.code or "none asked", ack.text)
    if answers:
        Console().print(table)


def _page(name: str) -> str:
    from gateway.fhir import interactions_page, search_page
    from mappings import docs

    pages = {"search": search_page, "interactions": interactions_page, "": docs}
    return pages[name].table()


@suture.command("docs")
@click.argument("file", required=False, type=click.Path(dir_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Change nothing; fail if FILE is not what would be written.")
@click.option("--search", is_flag=True, help="Print the search parameters and their modifiers instead.")
@click.option("--interactions", is_flag=True, help="Print the interactions of each resource type instead.")
def docs_command(file: Path | None, check: bool, search: bool, interactions: bool) -> None:
    """Print the mapping table: which FHIR element, column and HL7v2 field stand for the same thing.

    With FILE it is written there.
    """
    if check and file is None:
        raise click.UsageError("--check needs a FILE")
    if search and interactions:
        raise click.UsageError("--search and --interactions are two pages")
    name = "search" if search else "interactions" if interactions else ""
    text = _page(name)
    if file is None:
        click.echo(text)
    elif not check:
        with one_line():
            file.write_text(text, encoding="utf-8")
    elif not file.exists() or file.read_text(encoding="utf-8") != text:
        fail(f"{file} is out of date: run suture docs {f'--{name} ' if name else ''}{file}")


if __name__ == "__main__":
    main()
