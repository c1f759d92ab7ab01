"""`suture destination`: what peers are told, orders and results, and how often it is tried."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import click
from rich_click import RichGroup

from gateway.command import Command, connected, fail, settings_options, show, within
from gateway.destination_fields import LIMITS, PROCESSING_IDS, NotADestination, see, tidy
from storage import destinations, outbox, peers
from storage.destinations import ACCEPT_ACKS, APPLICATION_ACKS, ORDER_MESSAGES, STATUS_MESSAGES, Settings
from storage.model.order import ORDER_TYPES

if TYPE_CHECKING:
    from uuid import UUID

    from psycopg import Connection

    from gateway.unit import Unit

NONE = "none"
OPTIONS: dict[str, dict[str, Any]] = {
    "order_message": {
        "type": click.Choice([*ORDER_MESSAGES, NONE]),
        "help": "How it is told of orders, if it is: ORM^O01 up to 2.6, OML^O21 since 2.4.",
    },
    "order_types": {"metavar": "A,B", "help": f"Only orders of these types ({', '.join(ORDER_TYPES)})."},
    "status_message": {
        "type": click.Choice([*STATUS_MESSAGES, NONE]),
        "help": "How it is told what became of orders that it placed, if it is.",
    },
    "results": {"help": "Whether it is told of results (ORU^R01)."},
    "own_only": {"help": "Whether these are only results of orders that it placed itself."},
    "echo": {"help": "Whether it is told of what it did itself, too."},
    "sending_app": {"metavar": "MSH-3", "help": "As whom the gateway writes to it."},
    "sending_facility": {"metavar": "MSH-4", "help": "Likewise."},
    "processing_id": {"type": click.Choice(PROCESSING_IDS), "help": "MSH-11."},
    "accept_ack": {
        "type": click.Choice([*ACCEPT_ACKS, NONE]),
        "help": "MSH-15: whether it is to say that it took a message (CA); none: not said.",
    },
    "application_ack": {
        "type": click.Choice([*APPLICATION_ACKS, NONE]),
        "help": "MSH-16: whether it is to say what came of it (AA); none: not said.",
    },
    "ack_seconds": {
        "type": click.IntRange(*LIMITS["ack_seconds"]),
        "help": "How long an answer is waited for.",
    },
    "application_seconds": {
        "type": click.IntRange(*LIMITS["application_seconds"]),
        "help": "How long what came of a message is waited for after it was taken.",
    },
    "retry_seconds": {
        "type": click.IntRange(*LIMITS["retry_seconds"]),
        "help": "Pause after AE, which doubles each time.",
    },
    "most_retry_seconds": {
        "type": click.IntRange(*LIMITS["most_retry_seconds"]),
        "help": "The longest pause.",
    },
    "most_attempts": {
        "type": click.IntRange(*LIMITS["most_attempts"]),
        "help": "After so many AE it is a dead letter.",
    },
    "tls": {"help": "Whether it is sent to over TLS."},
    "tls_name": {"help": "For which name its certificate must be (default: the host)."},
    "tls_ca": {
        "type": click.File(),
        "metavar": "FILE",
        "help": "Certificates that sign its own, PEM; an empty file: those that this machine trusts.",
    },
    "is_active": {"help": "Whether it is told anything; what waits is kept."},
}
"""The settings of a destination as options, in the order of the help."""
_NAMES = {"is_active": "active", "own_only": "own", "order_message": "orders", "status_message": "states"}
_FLAGS = frozenset({"results", "own_only", "echo", "tls", "is_active"})
_ABSENT = frozenset({"order_message", "status_message", "accept_ack", "application_ack"})
"""What may be ``none``; a name of that spelling is a name."""


@click.group("destination", cls=RichGroup)
def destination() -> None:
    """What peers are told: set, list, show, remove; what waits: queue, resend, drop.

    Where a peer is sent to, in which version and character set, `suture peer` tells; its direction must be
    out or both. A change is known to a running gateway within seconds.
    """


def _option(name: str) -> str:
    return _NAMES.get(name, name).replace("_", "-")


def _told(command: Command) -> Command:
    command = settings_options("data_dir", "database_url")(command)
    for name, told in reversed(OPTIONS.items()):
        dashed = _option(name)
        flag = f"--{dashed}/--no-{dashed}" if name in _FLAGS else f"--{dashed}"
        command = click.option(flag, name, default=None, **told)(command)
    return command


@destination.command("set")
@click.argument("peer")
@_told
def set_command(peer: str, **options: Any) -> None:
    """Set what the peer named PEER is told; what no option names stays."""

    def work(unit: Unit) -> tuple[Settings, bool]:
        from gateway.destination_store import store

        connection = unit.session.raw
        found = _peer(connection, peer, for_change=True)
        present = destinations.settings_of(connection, found.id, for_change=True)
        made = store(unit, found, _changed(present or Settings(found.id), found, options), present)
        return made, found.id in destinations.sent_to(connection)

    made, is_sent_to = within(options, work)
    click.echo(f"{peer} is told of {_what(made)}")
    if not is_sent_to:
        where = f"suture peer change {peer} --active --direction both --host HOST --port PORT"
        active = "" if made.is_active else f"suture destination set {peer} --active, "
        click.echo(f"nothing is sent yet: {active}{where}")


def _changed(present: Settings, peer: peers.Peer, options: dict[str, Any]) -> Settings:
    """Return settings with what the options tell. Raises click.UsageError for what they may not be."""
    told: dict[str, Any] = {name: options[name] for name in OPTIONS if options[name] is not None}
    told = {name: None if value == NONE and name in _ABSENT else value for name, value in told.items()}
    if "order_types" in told:
        told["order_types"] = [part for part in told["order_types"].split(",") if part.strip()]
    if "tls_ca" in told:
        told["tls_ca"] = told["tls_ca"].read()
    made = replace(present, **tidy(told))
    try:
        see(made, peer)
    except NotADestination as error:
        raise click.UsageError(f"--{_option(error.name)}: {error}") from error
    return made


def _what(made: Settings) -> str:
    types = f" ({', '.join(made.order_types)})" if made.order_types else ""
    told = [f"orders{types} by {made.order_message}"] if made.order_message else []
    told += [f"what becomes of its orders by {made.status_message}"] if made.status_message else []
    told += [f"results{' of its orders' if made.own_only else ''}"] if made.results else []
    return " and ".join(told) or "nothing"


@destination.command("list")
@settings_options("data_dir", "database_url")
def list_command(**options: Any) -> None:
    """List the destinations, with what waits for each."""
    with connected(options) as connection:
        rows = [_row(connection, each) for each in peers.listed(connection)]
    heads = ("peer", "told of", "written as", "sent to", "active", "waiting", "dead")
    show(heads, [row for row in rows if row])


def _row(connection: Connection[Any], peer: peers.Peer) -> tuple[str, ...]:
    made = destinations.settings_of(connection, peer.id)
    if made is None:
        return ()
    held = destinations.backlog(destinations.queues(connection, peer.id), peer.name)
    sent_to = f"{peer.host}:{peer.port}{' (TLS)' if made.tls else ''}" if peer.host else ""
    written = f"{made.sending_app}|{made.sending_facility}"
    active = "yes" if made.is_active and peer.is_active else "no"
    return peer.name, _what(made), written, sent_to, active, str(held.waiting), str(held.dead)


@destination.command("show")
@click.argument("peer")
@settings_options("data_dir", "database_url")
def show_command(peer: str, **options: Any) -> None:
    """Show all settings of what the peer PEER is told."""
    with connected(options) as connection:
        told = asdict(_settings(connection, _peer(connection, peer)))
    show(("setting", "value"), [(name, _text(told[name])) for name in OPTIONS])


@destination.command("queue")
@click.argument("peer")
@click.option("--dead", is_flag=True, help="The dead letters, not what waits.")
@click.option(
    "--limit", type=click.IntRange(1, 1000), default=100, show_default=True, help="So many at most."
)
@settings_options("data_dir", "database_url")
def queue_command(peer: str, dead: bool, limit: int, **options: Any) -> None:
    """List what waits for PEER, or the dead letters, oldest first."""
    with connected(options) as connection:
        rows = outbox.queue(connection, _peer(connection, peer).id, dead=dead, most=limit)
    columns = ("id", "control_id", "message_type", "status", "attempts", "received_at", "error_text")
    show(columns, [tuple(_text(row[name]) for name in columns) for row in rows])


@destination.command("resend")
@click.argument("peer")
@click.argument("message_id", nargs=-1, type=click.UUID)
@settings_options("data_dir", "database_url")
def resend_command(peer: str, message_id: tuple[UUID, ...], **options: Any) -> None:
    """Send dead letters of PEER again, under the numbers that they had: those named, or all."""

    def work(unit: Unit) -> int:
        from gateway.destination_store import resend

        found = _peer(unit.session.raw, peer)
        _settings(unit.session.raw, found)
        return resend(unit, found, message_id or None)

    click.echo(f"{within(options, work)} queued again")


@destination.command("drop")
@click.argument("peer")
@click.argument("message_id", nargs=-1, type=click.UUID)
@click.option("--all", "everything", is_flag=True, help="All that waits.")
@settings_options("data_dir", "database_url")
def drop_command(peer: str, message_id: tuple[UUID, ...], everything: bool, **options: Any) -> None:
    """Give up messages that wait for PEER: they become dead letters, and what is behind them goes on."""
    if bool(message_id) == everything:
        raise click.UsageError("name messages, or give --all")

    def work(unit: Unit) -> int:
        from gateway.destination_store import drop

        return drop(unit, _peer(unit.session.raw, peer), message_id or None)

    click.echo(f"{within(options, work)} given up")


@destination.command("remove")
@click.argument("peer")
@settings_options("data_dir", "database_url")
def remove_command(peer: str, **options: Any) -> None:
    """Tell PEER nothing any more: what waits for it becomes dead letters."""

    def work(unit: Unit) -> int:
        from gateway.destination_store import remove

        found = _peer(unit.session.raw, peer)
        _settings(unit.session.raw, found, for_change=True)
        return remove(unit, found)

    click.echo(f"{peer} is told nothing any more; {within(options, work)} given up")


def _peer(connection: Connection[Any], name: str, *, for_change: bool = False) -> peers.Peer:
    found = peers.find(connection, name, for_change=for_change)
    if found is None:
        fail(f"there is no peer {name}: suture peer list")
    return found


def _settings(connection: Connection[Any], peer: peers.Peer, *, for_change: bool = False) -> Settings:
    found = destinations.settings_of(connection, peer.id, for_change=for_change)
    if found is None:
        fail(f"{peer.name} is told nothing: suture destination set {peer.name}")
    return found


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(str(item) for item in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return "" if value is None else str(value)
