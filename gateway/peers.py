"""`suture peer`: the systems that send HL7v2 messages or are sent some, and what each is taken at."""

from __future__ import annotations

from dataclasses import asdict, fields, replace
from typing import TYPE_CHECKING, Any

import click
from rich_click import RichGroup

from gateway.command import Command, connected, fail, settings_options, show, within
from storage import peers
from storage.peers import ACK_MODES, DIRECTIONS, ORDER_ROLES, STRANGER, STRICTNESS, Peer

if TYPE_CHECKING:
    from gateway.unit import Unit

_KNOWN = "By what it is known: "
_ONLY = 'Take nothing else of it; "" takes it back.'
OPTIONS: dict[str, dict[str, Any]] = {
    "sending_app": {"metavar": "MSH-3", "help": f"{_KNOWN}its name in MSH-3, whole or the first component."},
    "sending_facility": {"metavar": "MSH-4", "help": f"{_KNOWN}its name in MSH-4, likewise."},
    "addresses": {"metavar": "A,B", "help": f"{_KNOWN}addresses or networks that it sends from."},
    "certificate": {"metavar": "NAME", "help": f"{_KNOWN}common name or SHA-256 of its TLS certificate."},
    "direction": {"type": click.Choice(DIRECTIONS), "help": "Whether it sends, is sent to, or both."},
    "host": {"help": "Where it is sent to."},
    "port": {"type": click.IntRange(1, 65535), "help": "Where it is sent to."},
    "message_types": {"metavar": "A,B", "help": f"Message types, such as ORM^O01,ADT. {_ONLY}"},
    "versions": {"metavar": "A,B", "help": f"Versions, such as 2.3,2.5.1. {_ONLY}"},
    "processing_ids": {"metavar": "A,B", "help": f"Processing ids (MSH-11), such as P. {_ONLY}"},
    "version": {"help": "Version that it is written to in."},
    "charset": {"help": "Character set of what does not say it in MSH-18, and of what it is sent."},
    "ack_mode": {
        "type": click.Choice(ACK_MODES),
        "help": "enhanced: as MSH-15 and 16 ask. original: always one AA, AE or AR.",
    },
    "strictness": {
        "type": click.Choice(STRICTNESS),
        "help": "What departs from the structure or the tables: passed over, warned about, refused.",
    },
    "order_role": {"type": click.Choice(ORDER_ROLES), "help": "Whether it orders, performs, or both."},
    "accession_field": {"metavar": "SEG-N", "help": "Where accession numbers stand, such as OBR-18."},
    "study_field": {"metavar": "SEG-N", "help": "Where the study UID stands, such as ZDS-1."},
    "auto_create_patients": {"help": "Whether it may tell of patients who are not known (else AR 204)."},
    "auto_create_orders": {"help": "Whether it may tell of others' orders that are not known (else AR 204)."},
    "strict_ids": {"help": "Whether a control id used again for something else is refused (AR 205)."},
    "order_replies": {"help": "Whether orders are answered by ORR, ORL or ORG instead of ACK."},
    "batch_replies": {"help": "Whether a batch is answered by a batch."},
    "is_active": {"help": "Whether its messages are taken at all."},
}
"""The fields of a peer as options, in the order of the help."""
_NAMES = {"auto_create_patients": "new-patients", "auto_create_orders": "new-orders", "is_active": "active"}
_FLAGS = frozenset(field.name for field in fields(Peer) if isinstance(getattr(STRANGER, field.name), bool))


@click.group("peer", cls=RichGroup)
def peer() -> None:
    """The HL7v2 peers: add, list, show and change them.

    A sender that is nobody's peer is taken as the defaults say, unless SUTURE_MLLP_ONLY_KNOWN_PEERS is set. A
    change is known to a running gateway within a second.
    """


def _told(command: Command) -> Command:
    """Give a command an option for each field."""
    command = settings_options("data_dir", "database_url")(command)
    words = "Assigning authority and its identifier system; AUTHORITY= takes it back. Repeatable."
    command = click.option("--authority", "authority", multiple=True, metavar="AUTHORITY=URI", help=words)(
        command
    )
    for name, told in reversed(OPTIONS.items()):
        dashed = _NAMES.get(name, name).replace("_", "-")
        flag = f"--{dashed}/--no-{dashed}" if name in _FLAGS else f"--{dashed}"
        command = click.option(flag, name, default=None, **told)(command)
    return command


def _database(command: Command) -> Command:
    return settings_options("data_dir", "database_url")(command)


@peer.command("add")
@click.argument("name")
@_told
def add_command(name: str, authority: tuple[str, ...], **options: Any) -> None:
    """Add the peer NAME."""
    from gateway.app import new_id

    made = _changed(Peer(new_id(), name), authority, options)

    def work(unit: Unit) -> None:
        if peers.find(unit.session.raw, name) is not None:
            fail(f"there is a peer {name} already: suture peer change {name}")
        _store(unit, made)

    within(options, work)
    click.echo(f"{name} is a peer, known by {_known(made)}")


@peer.command("list")
@_database
def list_command(**options: Any) -> None:
    """List all peers."""
    with connected(options) as connection:
        found = peers.listed(connection)
    heads = ("name", "direction", "known by", "sent to", "types", "strictness", "active")
    show(heads, [_row(each) for each in found])


def _row(each: Peer) -> tuple[str, ...]:
    sent_to = f"{each.host}:{each.port}" if each.host else ""
    types = ", ".join(each.message_types or ["all"])
    active = "yes" if each.is_active else "no"
    return each.name, each.direction, _known(each), sent_to, types, each.strictness, active


@peer.command("show")
@click.argument("name")
@_database
def show_command(name: str, **options: Any) -> None:
    """Show all that is told of the peer NAME."""
    with connected(options) as connection:
        found = _there(peers.find(connection, name), name)
    told = asdict(found)
    show(("field", "value"), [(field, _text(told[field])) for field in ("name", *OPTIONS, "authorities")])


@peer.command("change")
@click.argument("name")
@_told
def change_command(name: str, authority: tuple[str, ...], **options: Any) -> None:
    """Change the peer NAME; what no option names stays.

    Peers are never deleted, since messages name them: --no-active switches one off.
    """
    if not authority and not any(value is not None for value in _fields(options).values()):
        raise click.UsageError("nothing to change: give an option of suture peer change --help")

    def work(unit: Unit) -> None:
        present = _there(peers.find(unit.session.raw, name, for_change=True), name)
        _store(unit, _changed(present, authority, options), present)

    within(options, work)
    click.echo(f"{name} is changed")


def _there(found: Peer | None, name: str) -> Peer:
    if found is None:
        fail(f"there is no peer {name}: suture peer list")
    return found


def _fields(options: dict[str, Any]) -> dict[str, Any]:
    return {name: options[name] for name in OPTIONS}


def _changed(present: Peer, authority: tuple[str, ...], options: dict[str, Any]) -> Peer:
    """Return a peer with what the options tell. Raises click.UsageError for what it may not be."""
    from gateway.peer_fields import LISTS, NotAPeer, see, tidy

    told = {name: value for name, value in _fields(options).items() if value is not None}
    for name in LISTS:
        if name in told:
            told[name] = [part.strip() for part in told[name].split(",") if part.strip()]
    if authority:
        pairs = {name: system for name, _, system in (pair.partition("=") for pair in authority)}
        known = (present.authorities or {}) | pairs
        told["authorities"] = {name: system for name, system in known.items() if system}
    made = replace(present, **tidy(told))
    try:
        see(made)
    except NotAPeer as error:
        raise click.UsageError(
            f"--{_NAMES.get(error.name, error.name).replace('_', '-')}: {error}"
        ) from error
    return made


def _store(unit: Unit, made: Peer, present: Peer | None = None) -> None:
    from gateway.errors import DuplicateKey
    from gateway.peer_store import store

    try:
        store(unit, made, present)
    except DuplicateKey:
        fail("another peer has that name, or the same MSH-3 and MSH-4")


def _known(each: Peer) -> str:
    names = "/".join(name or "*" for name in (each.sending_app, each.sending_facility))
    told = [names if names != "*/*" else "", *(each.addresses or []), each.certificate or ""]
    return ", ".join(part for part in told if part) or "nothing"


def _text(value: bool | float | str | list[str] | dict[str, str] | None) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(value)
    if isinstance(value, dict):
        return ", ".join(f"{key}={item}" for key, item in value.items())
    return "" if value is None else str(value)
