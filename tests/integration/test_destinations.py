"""`suture destination`: what peers are told is set and listed."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

from storage import destinations, peers
from storage.session import driver_url
from tests.fixtures.command import Command
from tests.wire.receiver import until


@pytest.fixture
def command(new_database: Callable[[bool], str]) -> Command:
    """The command, over a database with one peer."""
    made = Command(new_database(True))
    made.good("peer", "add", "LAB", "--sending-app", "LAB")
    return made


def test_what_a_peer_is_told_is_set_kept_and_listed(command: Command) -> None:
    told = command.good("destination", "set", "LAB", "--orders", "ORM_O01", "--order-types", "lab")
    assert "LAB is told of orders (LAB) by ORM_O01" in told
    assert "nothing is sent yet" in told
    command.good("peer", "change", "LAB", "--direction", "both", "--host", "127.0.0.1", "--port", "2576")
    told = command.good("destination", "set", "LAB", "--results", "--ack-seconds", "5")
    assert told.strip() == "LAB is told of orders (LAB) by ORM_O01 and results of its orders"
    assert "127.0.0.1:2576" in command.good("destination", "list")
    with psycopg.connect(driver_url(command.url)) as connection:
        (target,) = destinations.destinations(connection)
        peer = peers.find(connection, "LAB")
        assert peer is not None
        settings = destinations.settings_of(connection, peer.id)
    assert (target.name, target.port, target.ack_seconds, target.order_types) == ("LAB", 2576, 5, ["LAB"])
    assert settings is not None
    assert settings.results


def test_orders_are_told_no_more(command: Command) -> None:
    command.good("destination", "set", "LAB", "--orders", "OML_O21")
    assert "LAB is told of nothing" in command.good("destination", "set", "LAB", "--orders", "none")


def test_unknown_peers_and_types_are_refused(command: Command) -> None:
    assert command("destination", "set", "RIS").exit_code == 1
    refused = command("destination", "set", "LAB", "--order-types", "DIET")
    assert refused.exit_code == 2
    assert "DIET is no type of orders" in refused.output


def test_all_settings_are_shown_and_a_destination_is_taken_away(command: Command) -> None:
    told = ("--states", "ORR_O02", "--accept-ack", "AL", "--application-ack", "AL", "--tls", "--echo")
    assert "what becomes of its orders by ORR_O02" in command.good("destination", "set", "LAB", *told)
    shown = " ".join(command.good("destination", "show", "LAB").split())
    for words in ("status_message │ ORR_O02", "accept_ack │ AL", "tls │ yes", "order_message │ │"):
        assert words in shown
    command.good("destination", "set", "LAB", "--states", "none", "--application-ack", "none")
    assert "application_ack │ │" in " ".join(command.good("destination", "show", "LAB").split())
    command.good("destination", "set", "LAB", "--sending-app", "none")
    assert "sending_app │ none" in " ".join(command.good("destination", "show", "LAB").split())
    assert "LAB is told nothing any more; 0 given up" in command.good("destination", "remove", "LAB")
    assert command("destination", "show", "LAB").exit_code == 1


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--states", "ORR_O02"), "--accept-ack"),
        (("--application-ack", "NE"), "--accept-ack"),
        (("--retry-seconds", "100", "--most-retry-seconds", "10"), "--most-retry-seconds"),
    ],
)
def test_what_cannot_be_is_refused(command: Command, words: tuple[str, ...], why: str) -> None:
    refused = command("destination", "set", "LAB", *words)
    assert refused.exit_code == 2
    assert why in refused.output


def test_what_waits_is_listed_given_up_and_sent_again(command: Command) -> None:
    command.good("destination", "set", "LAB", "--orders", "ORM_O01")
    with psycopg.connect(driver_url(command.url)) as connection:
        peer = peers.find(connection, "LAB")
        assert peer is not None
        connection.execute(
            "INSERT INTO hl7_message (id, direction, peer_id, raw, sha256, status, lane, received_at,"
            " control_id) VALUES (gen_random_uuid(), 'out', %s, 'MSH', '', 'queued', 'P/1', now(), 'A1')",
            [peer.id],
        )
    assert "A1" in command.good("destination", "queue", "LAB")
    assert command("destination", "drop", "LAB").exit_code == 2
    assert "1 given up" in command.good("destination", "drop", "LAB", "--all")
    assert "given up by hand" in command.good("destination", "queue", "LAB", "--dead")
    assert "1 queued again" in command.good("destination", "resend", "LAB")
    assert "A1" in command.good("destination", "queue", "LAB")
    assert "1 given up" in command.good("destination", "remove", "LAB")
    assert audited(command) == [
        ("C", "system", {"peer": "LAB"}),
        ("E", "system", {"peer": "LAB", "dead": 1}),
        ("E", "system", {"peer": "LAB", "resent": 1}),
        ("D", "system", {"peer": "LAB", "dead": 1}),
    ]


def audited(command: Command) -> list[tuple[str, str, dict[str, Any]]]:
    with psycopg.connect(driver_url(command.url)) as connection:
        return connection.execute(
            "SELECT action, interface, detail FROM audit_event"
            " WHERE resource_type = 'hl7_destination' ORDER BY at, id"
        ).fetchall()


def test_each_change_is_in_the_audit_trail_and_what_is_refused_is_not(command: Command) -> None:
    command.good("destination", "set", "LAB", "--results")
    command.good("destination", "set", "LAB", "--echo")
    assert command("destination", "set", "LAB", "--states", "ORR_O02").exit_code == 2
    assert command("destination", "resend", "RIS").exit_code == 1
    told = {"peer": "LAB"}
    assert audited(command) == [("C", "system", told), ("U", "system", told)]


def test_a_change_waits_for_another_and_keeps_what_that_one_told(command: Command) -> None:
    command.good("destination", "set", "LAB", "--results")
    with ThreadPoolExecutor(1) as other, psycopg.connect(driver_url(command.url)) as connection:
        connection.execute("UPDATE hl7_destination SET echo = true")
        set_too = other.submit(command.good, "destination", "set", "LAB", "--ack-seconds", "7")
        until(lambda: waits_for_a_lock(command.url), 20)
        connection.commit()
        set_too.result(20)
    with psycopg.connect(driver_url(command.url)) as connection:
        made = connection.execute("SELECT echo, ack_seconds FROM hl7_destination").fetchone()
    assert made == (True, 7)


def waits_for_a_lock(url: str) -> bool:
    with psycopg.connect(driver_url(url)) as connection:
        waiting = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)"
        return connection.execute(waiting).fetchone() == (True,)


def test_whoever_is_told_nothing_for_now_is_said_to_be(command: Command) -> None:
    where = ("--direction", "both", "--host", "127.0.0.1", "--port", "2576")
    command.good("peer", "change", "LAB", *where)
    assert "nothing is sent" in command.good("destination", "set", "LAB", "--results", "--no-active")
    assert "nothing is sent" not in command.good("destination", "set", "LAB", "--active")
    command.good("peer", "change", "LAB", "--no-active")
    assert "nothing is sent" in command.good("destination", "set", "LAB", "--echo")
