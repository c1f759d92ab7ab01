"""What the commands of `suture` have in common: settings as options, and one line for what fails."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn, TypeVar, get_args, get_origin

import click
import psycopg
from pydantic import ValidationError
from pydantic.fields import FieldInfo
from rich.console import Console
from rich.table import Table

from gateway.settings import PREFIX, Settings

if TYPE_CHECKING:
    from gateway.unit import Unit

Command = TypeVar("Command", bound=Callable[..., Any])
T = TypeVar("T")
FAILED = 1
WIDEST = 1000
"""Columns of a table that is not shown in a terminal, whose own width it would have."""


def settings_options(*names: str) -> Callable[[Command], Command]:
    """Options for the named settings, or for all: an option wins over its environment variable."""

    def add(command: Command) -> Command:
        for name, field in reversed(Settings.model_fields.items()):
            if not names or name in names:
                command = _option(name, field)(command)
        return command

    return add


def _option(name: str, field: FieldInfo) -> Callable[[Command], Command]:
    words = f"{field.description} [{PREFIX}{name.upper()}]"
    if field.annotation is bool:
        return click.option(f"--{name.replace('_', '-')}", is_flag=True, default=None, help=words)
    return click.option(f"--{name.replace('_', '-')}", type=_kind(field.annotation), default=None, help=words)


def _kind(annotation: Any) -> Any:
    if get_origin(annotation) is Literal:
        return click.Choice(get_args(annotation))
    return {int: int, Path: click.Path(path_type=Path)}.get(annotation, str)


def read_settings(options: dict[str, Any]) -> Settings:
    """The settings of the environment and of the options given. Raises click.UsageError if they are wrong."""
    try:
        return Settings(**{name: value for name, value in options.items() if value is not None})
    except ValidationError as error:
        raise click.UsageError("; ".join(_told(found) for found in error.errors())) from error


def _told(found: Any) -> str:
    where = PREFIX + str(found["loc"][0]).upper() + ": " if found["loc"] else ""
    return where + str(found["msg"]).removeprefix("Value error, ")


@contextmanager
def one_line(doing: str = "") -> Generator[None]:
    """Turn the failures that a command may meet into one line on stderr and exit status 1."""
    from sqlalchemy.exc import SQLAlchemyError

    from gateway.serve import CannotStart

    try:
        yield
    except (CannotStart, OSError, SQLAlchemyError, psycopg.Error) as error:
        words = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
        fail(doing + words.strip().splitlines()[0])


@contextmanager
def connected(options: dict[str, Any]) -> Generator[psycopg.Connection[Any]]:
    """Give a connection to the migrated database that the options name, one transaction long."""
    named = {name: options[name] for name in ("data_dir", "database_url")}
    settings = read_settings(named)
    from gateway import serve

    with one_line(), serve.database(settings, attach=True) as url:
        serve.prepare(url)
        with psycopg.connect(url) as connection:
            yield connection


def within(options: dict[str, Any], work: Callable[[Unit], T]) -> T:
    """Run work in one transaction over the database that the options name, as the gateway itself."""
    from gateway import serve
    from gateway.app import new_id, now
    from gateway.records import Caller, Records
    from storage.session import Store

    settings = read_settings({name: options[name] for name in ("data_dir", "database_url")})
    with one_line(), serve.database(settings, attach=True) as url:
        serve.prepare(url)
        store = Store(url, pool_size=1)
        try:
            return Records(store, now, new_id).unit(Caller("system"), work)
        finally:
            store.close()


def show(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; the ids that other commands ask for are whole, and so is all in a file or a pipe."""
    table = Table()
    for head in heads:
        table.add_column(head, no_wrap=head == "id", overflow="fold")
    for row in rows:
        table.add_row(*row)
    console().print(table)


def console() -> Console:
    """Return what prints tables: as wide as the terminal, and as wide as they are in a file or a pipe."""
    found = Console()
    found.width = found.width if found.is_terminal else WIDEST
    return found


def fail(words: str) -> NoReturn:
    """Say in one line why the command failed, and end it with exit status 1."""
    click.echo(f"suture: {words}", err=True)
    sys.exit(FAILED)
