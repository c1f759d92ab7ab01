"""`suture user`: the accounts, whose names callers send as `X-User` and by whose roles workflows judge."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click
import psycopg
from rich_click import RichGroup

from gateway.command import Command, connected, fail, settings_options, show
from storage import users
from storage.model.people import SYSTEM_USER_ID
from storage.users import ROLES, Account

if TYPE_CHECKING:
    from psycopg import Connection

MEANING = {
    "viewer": "reads, writes nothing",
    "researcher": "research cases",
    "orderer": "surgeon, resident, nurse practitioner: orders, prepares, operates",
    "nurse": "orders on behalf, prepares, performs",
    "scheduler": "books",
    "or_coordinator": "prepares, books, overrides readiness",
    "technologist": "performs what was ordered",
    "reporter": "reports results",
    "admin": "corrects, reopens, deletes for good",
    "system": "an HL7v2 peer or a job",
}
"""What each role is for, in a few words; what it may is told by the workflows."""

_ROLE = click.Choice(ROLES)
_PRACTITIONER = "FHIR id of the Practitioner that the account is of, by which a primary surgeon is known."


@click.group("user", cls=RichGroup)
def user() -> None:
    """The accounts: add, list and change them.

    Callers name an account by the header X-User, which whatever signs users on must set. A request without
    it, or with an unknown name, is judged by no role unless SUTURE_REQUIRE_USER is set.
    """


def _database(command: Command) -> Command:
    return settings_options("data_dir", "database_url")(command)


@user.command("add")
@click.argument("username")
@click.option("--role", type=_ROLE, required=True, help="What the account may do; `suture user roles` tells.")
@click.option("--name", "full_name", required=True, help="The name of whom it is of, as people read it.")
@click.option("--practitioner", metavar="ID", help=_PRACTITIONER)
@_database
def add_command(username: str, role: str, full_name: str, practitioner: str | None, **options: Any) -> None:
    """Add the account USERNAME."""
    from gateway.app import new_id, now

    _see_username(username)
    with connected(options) as connection:
        of = _practitioner(connection, practitioner)
        if users.find(connection, username) is not None:
            fail(f"there is an account {username} already: suture user change {username}")
        made = Account(new_id(), username, full_name, role, True, of)
        _store(users.add, connection, made, now())
    click.echo(f"{username} is {_article(role)} {role}: {MEANING[role]}")


@user.command("list")
@_database
def list_command(**options: Any) -> None:
    """List all accounts, with when each last did something."""
    with connected(options) as connection:
        found = users.listed(connection)
    rows = [
        (
            each.username,
            each.full_name,
            each.role,
            each.practitioner or "",
            "yes" if each.is_active else "no",
            each.seen_at.isoformat(timespec="seconds") if each.seen_at else "",
        )
        for each in found
    ]
    show(("username", "name", "role", "practitioner", "active", "last seen"), rows)


@user.command("roles")
def roles_command() -> None:
    """List the roles that there are."""
    show(("role", "for"), list(MEANING.items()))


@user.command("change")
@click.argument("username")
@click.option("--role", type=_ROLE, help="What the account may do from now on.")
@click.option("--name", "full_name", help="The name of whom it is of.")
@click.option("--practitioner", metavar="ID", help=f'{_PRACTITIONER} "" takes it away.')
@click.option("--active/--inactive", "is_active", default=None, help="Whether it may be used.")
@_database
def change_command(
    username: str,
    role: str | None,
    full_name: str | None,
    practitioner: str | None,
    is_active: bool | None,
    **options: Any,
) -> None:
    """Change the account USERNAME, from the next request on.

    Accounts are never deleted, since versions and the audit trail name them.
    """
    from gateway.app import now

    told = {"role": role, "full_name": full_name, "is_active": is_active}
    changes: dict[str, Any] = {name: value for name, value in told.items() if value is not None}
    if not changes and practitioner is None:
        raise click.UsageError(
            "nothing to change: give --role, --name, --practitioner, --active or --inactive"
        )
    with connected(options) as connection:
        found = users.find(connection, username)
        if found is None:
            fail(f"there is no account {username}: suture user list")
        if found.id == SYSTEM_USER_ID:
            fail(f"{username} is the gateway itself and cannot be changed")
        if practitioner is not None:
            changes["practitioner_id"] = _practitioner(connection, practitioner)
        made = found._replace(**changes)
        _store(users.change, connection, made, now())
    state = "" if made.is_active else ", not active"
    click.echo(f"{username} is {_article(made.role)} {made.role}{state}")


def _article(role: str) -> str:
    return "an" if role[0] in "ao" else "a"


def _see_username(name: str) -> None:
    # It travels in a header.
    if not name.isascii() or not name.isprintable() or name != name.strip() or not 0 < len(name) <= 80:
        raise click.UsageError("a username is 1 to 80 printable ASCII characters, without spaces around it")


def _practitioner(connection: Connection[Any], fhir_id: str | None) -> Any:
    if not fhir_id:
        return None
    found = users.practitioner(connection, fhir_id.removeprefix("Practitioner/"))
    if found is None:
        fail(f"there is no Practitioner {fhir_id}")
    return found


def _store(write: Callable[..., None], connection: Connection[Any], account: Account, at: Any) -> None:
    try:
        write(connection, account, at)
    except psycopg.errors.UniqueViolation:
        fail("another account has that name or that practitioner")
