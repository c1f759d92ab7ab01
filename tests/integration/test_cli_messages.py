"""`suture messages`: the store of HL7v2 messages from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest
from click.testing import CliRunner, Result

from gateway.app import new_id, now
from gateway.cli import suture
from gateway.mllp.receive import Receiver
from gateway.records import Records
from storage import users
from storage.session import Store
from storage.users import Account
from tests.integration.native.test_messages import Peer
from tests.wire.messages import FAMILY, order, result


class Command:
    """`suture messages` over one database, and who sends to it."""

    def __init__(self, url: str, store: Store) -> None:
        self.url = url
        self.store = store
        self.peer = Peer(store)

    def __call__(self, *words: str) -> Result:
        runner = CliRunner(env={"COLUMNS": "240"})
        return runner.invoke(suture, ["messages", *words, "--database-url", self.url])

    def good(self, *words: str) -> str:
        done = self(*words)
        assert done.exit_code == 0, done.output
        return done.stdout

    def told(self, *words: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.good(*words, "--json").splitlines()]


@pytest.fixture
def command(new_database: Callable[[bool], str]) -> Iterator[Command]:
    url = new_database(True)
    store = Store(url, pool_size=2)
    yield Command(url, store)
    store.close()


def test_messages_are_listed_by_filters(command: Command) -> None:
    command.peer.send(order("m1", "A1"), result("m2", "A1"), order("m3", "A3", kind="ZZZ^Z01"))
    assert [item["control_id"] for item in command.told("list")] == ["m3", "m2", "m1"]
    assert [item["control_id"] for item in command.told("list", "--type", "ORU")] == ["m2"]
    text = command.good("list", "--state", "open")
    assert "rejected" in text
    assert "m3" in text
    assert "m1" not in text
    assert "the newest 1 of 3" in command.good("list", "--limit", "1")
    assert FAMILY not in command.good("list")
    assert command("list", "--from", "yesterday").exit_code == 1


def test_a_message_is_shown_with_the_fate_of_each_field(command: Command) -> None:
    sent = order("m1", "A1")
    command.peer.send(sent, sent)
    key = str(command.told("list", "--status", "applied")[0]["id"])
    text = command.good("show", key)
    (line,) = (line for line in text.splitlines() if "PID[1]-8" in line)
    assert "mapped" in line
    assert "Patient.gender" in line
    assert "MSA|AA|m1" in text
    assert "ServiceRequest/" in text
    assert "duplicate" in text
    assert command("show", key, "--raw").stdout_bytes == sent
    assert command.told("show", key)[0]["control_id"] == "m1"


def test_what_is_no_message_is_told_so(command: Command) -> None:
    assert command("show", "m1").exit_code == 2
    gone = "019a0000-0000-7000-8000-000000000000"
    assert "no such message" in command("show", gone).output
    assert command("show", gone).exit_code == 1
    assert command("replay", gone).exit_code == 1


def test_messages_are_counted_by_what_became_of_them(command: Command) -> None:
    command.peer.send(order("m1", "A1"), order("m1", "A1"), order("m3", "A3", kind="ZZZ^Z01"))
    (told,) = command.told("count")
    assert (told["received"], told["applied"], told["duplicate"], told["rejected"]) == (3, 1, 1, 1)
    assert told["unexplained"] == 0
    assert "received" in command.good("count", "--type", "ORM")


def test_many_are_replayed_after_a_look_at_what_that_would_change(command: Command) -> None:
    command.peer.fail(order("m1", "A1"), result("m2", "A1"))
    shown = command.good("replay", "--state", "open", "--dry-run")
    assert "would be" in shown
    assert any("status" in line and "active" in line and "completed" in line for line in shown.splitlines())
    assert len(command.told("list")) == 2
    command.good("replay", "--state", "open")
    assert [item["status"] for item in command.told("list")] == ["applied", "applied", "error", "error"]
    assert command.told("list", "--state", "open") == []
    assert command.told("count")[0]["replays"] == {"applied": 2}


def test_a_replay_that_fails_is_exit_status_1(command: Command) -> None:
    command.peer.send(order("m3", "A3", kind="ZZZ^Z01"))
    key = str(command.told("list")[0]["id"])
    done = command("replay", key)
    assert done.exit_code == 1
    assert "1 of 1 messages were not applied" in done.output
    assert "200" in done.output


def test_a_replay_names_messages_by_id_or_by_filters(command: Command) -> None:
    assert command("replay").exit_code == 2
    assert command("replay", "x").exit_code == 2
    assert command("replay", "019a0000-0000-7000-8000-000000000000", "--state", "open").exit_code == 2


def test_a_replay_may_be_done_in_the_name_of_an_account(command: Command) -> None:
    with command.store.connection() as connection:
        users.add(connection, Account(new_id(), "kim", "Kim", "nurse", True, None), now())
        users.add(connection, Account(new_id(), "jo", "Jo", "admin", True, None), now())
    command.peer.fail(order("m1", "A1"))
    refused = command("replay", "--state", "open", "--user", "kim")
    assert refused.exit_code == 1
    assert "admin" in refused.output
    command.good("replay", "--state", "open", "--user", "jo")
    assert command.told("list", "--status", "applied")[0]["replayed_by"] == "jo"


def test_what_waits_is_found_and_taken_up(command: Command) -> None:
    command.peer.send(order("m1", "A1"))
    with command.store.connection() as connection:
        connection.execute("UPDATE hl7_message SET status = 'received', attempts = 0, ack_raw = NULL")
    assert [item["status"] for item in command.told("list", "--state", "waiting")] == ["received"]
    command.good("replay", "--state", "waiting")
    assert [item["status"] for item in command.told("list")] == ["applied"]
    assert Receiver(Records(command.store, now, new_id)).receive(order("m1", "A1"), "")
    assert [item["status"] for item in command.told("list")] == ["duplicate", "applied"]
