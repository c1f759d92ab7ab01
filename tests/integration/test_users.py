"""`suture user`: accounts added, listed and changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner

from gateway.app import new_id, now
from gateway.cli import suture
from gateway.records import Caller, Records
from storage.model.people import ROLES
from storage.session import Store
from tests.fixtures.command import Command

PRACTITIONER = {"resourceType": "Practitioner", "id": "okafor", "name": [{"family": "Okafor"}]}


@pytest.fixture
def user(new_database: Callable[[bool], str]) -> Command:
    """The command, over a database without accounts but the gateway's own."""
    return Command(new_database(True), "user")


@pytest.fixture
def okafor(user: Command) -> Iterator[Records]:
    """The records of the command's database, with a practitioner."""
    store = Store(user.url, pool_size=2)
    records = Records(store, now, new_id)
    records.update(Caller("fhir"), "Practitioner", "okafor", PRACTITIONER)
    yield records
    store.close()


def listed(user: Command, username: str) -> list[str]:
    lines = [line.strip()[1:-1].split("│") for line in user.good("list").splitlines()]
    return next([cell.strip() for cell in line] for line in lines if line[0].strip() == username)


def test_an_account_is_added_listed_and_changed(user: Command, okafor: Records) -> None:
    done = user.good(
        "add", "ada", "--role", "orderer", "--name", "Dr. Ada Okafor", "--practitioner", "okafor"
    )
    assert done.startswith("ada is an orderer")
    assert listed(user, "ada") == ["ada", "Dr. Ada Okafor", "orderer", "okafor", "yes", ""]
    assert user.good("change", "ada", "--role", "or_coordinator", "--inactive").strip() == (
        "ada is an or_coordinator, not active"
    )
    assert listed(user, "ada")[2:5] == ["or_coordinator", "okafor", "no"]
    user.good("change", "ada", "--active", "--name", "Ada", "--practitioner", "")
    assert listed(user, "ada")[1:5] == ["Ada", "or_coordinator", "", "yes"]
    okafor.create(Caller("rest", "ada"), "Patient", {"resourceType": "Patient"})
    assert listed(user, "ada")[5].startswith(now().date().isoformat())


def test_each_role_is_told_and_may_be_given(user: Command) -> None:
    told = CliRunner(env={"COLUMNS": "200"}).invoke(suture, ["user", "roles"]).output
    for role in ROLES:
        assert role in told
        user.good("add", f"a-{role}", "--role", role, "--name", role)
        assert listed(user, f"a-{role}")[2] == role


@pytest.mark.parametrize(
    ("words", "status", "told"),
    [
        (("add", "ada", "--role", "surgeon", "--name", "Ada"), 2, "orderer"),
        (("add", "ada", "--role", "nurse"), 2, "--name"),
        (("add", "a\nb", "--role", "nurse", "--name", "Ada"), 2, "printable"),
        (("add", "", "--role", "nurse", "--name", "Ada"), 2, "printable"),
        (("add", "x" * 81, "--role", "nurse", "--name", "Ada"), 2, "80"),
        (("add", "ada", "--role", "nurse", "--name", "A", "--practitioner", "no"), 1, "no Practitioner no"),
        (("add", "system", "--role", "nurse", "--name", "A"), 1, "already"),
        (("change", "nobody", "--inactive"), 1, "no account nobody"),
        (("change", "system", "--role", "viewer"), 1, "cannot be changed"),
        (("change", "system"), 2, "nothing to change"),
    ],
)
def test_a_mistake_is_told_in_a_line_and_changes_nothing(
    user: Command, words: tuple[str, ...], status: int, told: str
) -> None:
    before = user.good("list")
    assert told in user.failed(status, *words)
    assert user.good("list") == before


@pytest.mark.usefixtures("okafor")
def test_a_practitioner_has_one_account(user: Command) -> None:
    user.good("add", "ada", "--role", "orderer", "--name", "Ada", "--practitioner", "Practitioner/okafor")
    told = user.failed(1, "add", "ada2", "--role", "nurse", "--name", "A", "--practitioner", "okafor")
    assert "another account" in told
