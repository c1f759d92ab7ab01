"""`suture destination`: what peers are told, orders and results, and how often it is tried."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import click
from rich_click import RichGroup

from gateway.command import Command, connected, fail, settings_options, show
from storage import outbox, peers
from storage.model.order import ORDER_TYPES
from storage.model.outbox import Hl7Destination
from storage.outbox import Settings

if TYPE_CHECKING:
    from psycopg import Connection

NONE = "none"
OPTIONS: dict[str, dict[str, Any]] = {
    "order_message": {
        "type": click.Choice([*Hl7Destination.order_message.values, NONE]),
        "help": "How it is told of orders, if it is: ORM^O01 up to 2.6, OML^O21 since 2.4.",
    },
    "order_types": {"metavar": "A,B", "help": f"Only orders of these types ({', '.join(ORDER_TYPES)})."},
    "results": {"help": "Whether it is told of results (ORU^R01)."},
    "own_only": {"help": "Whether these are only results of orders that it placed itself."},
    "sending_app": {"metavar": "MSH-3", "help": "As whom the gateway writes to it."},
    "sending_facility": {"metavar": "MSH-4", "help": "Likewise."},
    "processing_id": {"type": click.Choice(["P", "T", "D"]), "help": "MSH-11."},
    "ack_seconds": {"type": click.IntRange(1, 300), "help": "How long an answer is waited for."},
    "retry_seconds": {"type": click.IntRange(0, 3600), "help": "Pause after AE, which doubles each time."},
    "most_retry_seconds": {"type": click.IntRange(1, 86400), "help": "The longest pause."},
    "most_attempts": {"type": click.IntRange(1, 1000), "help": "After so many AE it is a dead letter."},
    "is_active": {"help": "Whether it is told anything; what waits is kept."},
}
"""The settings of a destination as options, in the order of the help."""
_NAMES = {"is_active": "active", "own_only": "own", "order_message": "orders"}
_FLAGS = frozenset({"results", "own_only", "is_active"})


@click.group("destination", cls=RichGroup)
def destination() -> None:
    """What peers are told: set, list.

    Where a peer is sent to, in which version and character set, `suture peer` tells; its direction must be
    out or both. A change is known to a running gateway within seconds.
    """


def _told(command: Command) -> Command:
    command = settings_options("data_dir", "database_url")(command)
    for name, told in reversed(OPTIONS.items()):
        dashed = _NAMES.get(name, name).replace("_", "-")
        flag = f"--{dashed}/--no-{dashed}" if name in _FLAGS else f"--{dashed}"
        command = click.option(flag, name, default=None, **told)(command)
    return command


@destination.command("set")
@click.argument("peer")
@_told
def set_command(peer: str, **options: Any) -> None:
    """Set what the peer named PEER is told; what no option names stays."""
    with connected(options) as connection:
        found = peers.find(connection, peer)
        if found is None:
            fail(f"there is no peer {peer}: suture peer list")
        present = outbox.settings_of(connection, found.id) or Settings(found.id)
        made = _changed(present, options)
        outbox.store_settings(connection, made)
    click.echo(f"{peer} is told of {_what(made)}")
    if found.direction == "in" or not (found.host and found.port):
        click.echo(f"nothing is sent yet: suture peer change {peer} --direction both --host HOST --port PORT")


def _changed(present: Settings, options: dict[str, Any]) -> Settings:
    told = {name: options[name] for name in OPTIONS if options[name] is not None}
    if "order_message" in told and told["order_message"] == NONE:
        told["order_message"] = None
    if "order_types" in told:
        types = [part.strip().upper() for part in told["order_types"].split(",") if part.strip()]
        wrong = [each for each in types if each not in ORDER_TYPES]
        if wrong:
            raise click.UsageError(f"{wrong[0]} is no type of orders: {', '.join(ORDER_TYPES)}")
        told["order_types"] = types or None
    return replace(present, **told)


def _what(made: Settings) -> str:
    types = f" ({', '.join(made.order_types)})" if made.order_types else ""
    orders = [f"orders{types} by {made.order_message}"] if made.order_message else []
    results = [f"results{' of its orders' if made.own_only else ''}"] if made.results else []
    return " and ".join([*orders, *results]) or "nothing"


@destination.command("list")
@settings_options("data_dir", "database_url")
def list_command(**options: Any) -> None:
    """List the destinations, with what waits for each."""
    with connected(options) as connection:
        rows = [_row(connection, each) for each in peers.listed(connection)]
    heads = ("peer", "told of", "written as", "sent to", "active", "waiting", "dead")
    show(heads, [row for row in rows if row])


def _row(connection: Connection[Any], peer: peers.Peer) -> tuple[str, ...]:
    made = outbox.settings_of(connection, peer.id)
    if made is None:
        return ()
    states = outbox.counts(connection, peer.id)
    waiting = sum(states.get(state, 0) for state in ("queued", "sent", "failed"))
    sent_to = f"{peer.host}:{peer.port}" if peer.host else ""
    written = f"{made.sending_app}|{made.sending_facility}"
    active = "yes" if made.is_active and peer.is_active else "no"
    return peer.name, _what(made), written, sent_to, active, str(waiting), str(states.get("dead", 0))
