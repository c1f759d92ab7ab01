"""`suture peer`: peers added, listed, shown and changed."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from tests.fixtures.command import Command


class Peers(Command):
    """`suture peer`, and what it shows of one."""

    def shown(self, name: str) -> dict[str, str]:
        lines = [line.strip()[1:-1].split("│") for line in self.good("show", name).splitlines()]
        return {line[0].strip(): line[1].strip() for line in lines if len(line) == 2}


@pytest.fixture
def peer(new_database: Callable[[bool], str]) -> Peers:
    """The command, over a database without peers."""
    return Peers(new_database(True), "peer")


def test_a_peer_is_added_listed_shown_and_changed(peer: Peers) -> None:
    told = ("--sending-app", "EHR", "--addresses", "10.1.0.0/16, ::1", "--message-types", "ORM^O01,ADT")
    more = ("--authority", "CITY=http://city.example.org/mrn", "--strictness", "warn", "--no-new-orders")
    assert "known by EHR/*, 10.1.0.0/16, ::1" in peer.good("add", "ehr", *told, *more)
    assert "ORM^O01, ADT" in peer.good("list")
    shown = peer.shown("ehr")
    assert shown["authorities"] == "CITY=http://city.example.org/mrn"
    assert (shown["auto_create_orders"], shown["auto_create_patients"]) == ("no", "yes")
    change = ("--message-types", "", "--authority", "CITY=", "--no-active", "--accession-field", "OBR-18")
    peer.good("change", "ehr", *change)
    shown = peer.shown("ehr")
    assert (shown["message_types"], shown["authorities"]) == ("", "")
    assert (shown["is_active"], shown["strictness"], shown["accession_field"]) == ("no", "warn", "OBR-18")


@pytest.mark.parametrize(
    ("told", "words"),
    [
        (("--addresses", "ward"), "--addresses: 'ward' is not a network"),
        (("--message-types", "orm"), "--message-types: 'orm' is not a message type"),
        (("--versions", "2.9"), "--versions: '2.9' is none of 2.1,"),
        (("--version", ""), "--version: a peer has one"),
        (("--charset", "UNICODE UTF-16"), "--charset: UTF-16 and UTF-32 can not be carried"),
        (("--charset", "EBCDIC"), "--charset: 'EBCDIC' is not in table 0211"),
        (("--accession-field", "OBR18"), "--accession-field: 'OBR18' is not a field"),
        (("--authority", "CITY"), ""),
        (("--direction", "out"), "--host: a peer that is sent to has a host and a port"),
    ],
)
def test_what_a_peer_may_not_be_is_refused_with_a_reason(
    peer: Peers, told: tuple[str, ...], words: str
) -> None:
    if words:
        assert words in peer.failed(2, "add", "ehr", "--sending-app", "EHR", *told)
    else:
        assert peer.good("add", "ehr", "--sending-app", "EHR", *told)


def test_a_sender_without_anything_to_know_it_by_is_refused(peer: Peers) -> None:
    assert "is known by sending_app" in peer.failed(2, "add", "ehr")


def test_two_peers_share_neither_name_nor_sender(peer: Peers) -> None:
    peer.good("add", "ehr", "--sending-app", "EHR", "--sending-facility", "CITY")
    assert "there is a peer ehr already" in peer.failed(1, "add", "ehr", "--sending-app", "LAB")
    same = ("--sending-app", "EHR", "--sending-facility", "CITY")
    assert "another peer has that name" in peer.failed(1, "add", "other", *same)


def test_what_is_told_of_peers_stands_in_the_audit_trail(peer: Peers) -> None:
    peer.good("add", "ehr", "--sending-app", "EHR", "--authority", "CITY=http://city.example.org/mrn")
    peer.good("change", "ehr", "--strictness", "strict", "--authority", "CITY=")
    peer.failed(2, "change", "ehr", "--charset", "EBCDIC")
    peer.failed(1, "add", "ehr", "--sending-app", "LAB")
    with psycopg.connect(peer.url) as connection:
        told = connection.execute(
            "SELECT action, interface, username, detail FROM audit_event e"
            " JOIN app_user u ON u.id = e.actor_id WHERE resource_type = 'hl7_peer' ORDER BY at, e.id"
        ).fetchall()
    assert told == [
        ("C", "system", "system", {"peer": "ehr", "fields": ["authorities", "sending_app"]}),
        ("U", "system", "system", {"peer": "ehr", "fields": ["authorities", "strictness"]}),
    ]


def test_a_peer_that_is_not_there_is_not_changed(peer: Peers) -> None:
    assert "there is no peer ehr" in peer.failed(1, "change", "ehr", "--strict-ids")
    assert "there is no peer ehr" in peer.failed(1, "show", "ehr")
    assert "nothing to change" in peer.failed(2, "change", "ehr")
