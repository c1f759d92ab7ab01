"""Peers that answer wrongly, twice, by halves or not at all, and queues that grow for hours.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from gateway.app import new_id, now
from gateway.mllp.framing import wrap
from mappings.er7 import Message
from storage import destinations, outbox, peers
from storage.session import Store
from tests.wire.conftest import Told
from tests.wire.house import House
from tests.wire.messages import rows
from tests.wire.receiver import ack, receiving, until

GARBAGE = {
    "bytes that are no frame": b"HTTP/1.1 400 Bad Request\r\n\r\n" * 1000,
    "a frame without a message": b"\x0bhello\x1c\r",
    "a message without MSA": b"\x0bMSH|^~\\&|B|B|S|O|20260101||ACK|1|P|2.5.1\r\x1c\r",
    "half an acknowledgement": b"\x0bMSH|^~\\&|B|B|S|O|20260101||ACK|1|P|2.5.1\rMSA|AA",
    "an empty frame": b"\x0b\x1c\r",
}


@pytest.mark.parametrize("told", GARBAGE.values(), ids=GARBAGE)
def test_garbage_is_no_answer_and_the_message_comes_again(house: House, told: bytes) -> None:
    def answer(message: Message, count: int) -> bytes:
        return told if count == 1 else ack(message)

    lab = house.tells(answer, "acked")
    assert len(lab.messages) == 2
    assert len(set(lab.control_ids())) == 1


def test_an_acknowledgement_cut_by_the_end_of_the_connection_is_none(house: House) -> None:
    def answer(message: Message, count: int) -> bytes:
        whole = ack(message)
        return whole[: len(whole) // 2] + b"\x0b" if count == 1 else whole

    lab = house.tells(answer, "acked")
    assert len(lab.messages) == 2


def test_the_second_of_two_answers_is_not_taken_for_the_next_sending(house: House) -> None:
    def answer(message: Message, count: int) -> bytes:
        # Twice in one packet: the second must not count for the message when it comes again.
        return ack(message, "AE") * 2 if count == 1 else ack(message)

    lab = house.tells(answer, "acked", most_attempts=2)
    assert len(lab.messages) == 2


def test_a_code_that_is_none_is_as_an_error(house: House) -> None:
    def answer(message: Message, count: int) -> bytes:
        return ack(message, "ZZ\x00" if count == 1 else "AA", extra="ERR|\x00^\x00|\x00\r")

    lab = house.tells(answer, "acked")
    assert len(lab.messages) == 2
    assert rows(house.store, "SELECT attempts FROM hl7_message WHERE direction = 'out'") == [{"attempts": 2}]


def test_zero_bytes_in_a_refusal_do_not_stop_the_sending(house: House) -> None:
    def answer(message: Message, count: int) -> bytes:
        del count
        number = message.control_id
        told = f"MSH|^~\\&|B\x00||||20260101||ACK|A\x00|P|2.5.1\rMSA|AR|{number}\rERR||\x00|\x00\r"
        return wrap(told.encode())

    lab = house.tells(answer, "dead")
    assert len(lab.messages) == 1


def test_a_host_that_can_be_none_is_told_of_and_others_are_sent_to(house: House, told: Told) -> None:
    with receiving() as lab:
        house.peer(lab.port, "LAB")
        house.peer(lab.port, "BAD")
        with house.store.connection() as connection:
            connection.execute("UPDATE hl7_peer SET host = %s WHERE name = 'BAD'", ["x" * 80 + ".example"])
        house.start()
        house.order(house.patient())
        until(lambda: sorted(house.states()) in (["acked", "queued"],))
        until(lambda: any(line["peer"] == "BAD" for line in told.warnings()))
    assert [line["state"] for line in told.warnings()] == ["cannot be reached"]


def test_a_destination_that_never_answers_does_not_hold_up_another(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.mllp.courier.STOP_SECONDS", 0.2)
    with receiving(lambda _message, _count: None) as dead, receiving() as lab:
        house.peer(dead.port, "A-DEAD", ack_seconds=30)
        house.peer(lab.port, "LAB")
        house.start()
        patient = house.patient()
        for _ in range(3):
            house.order(patient)
        assert len(lab.wait(3)) == 3
        assert len(dead.messages) == 1
        began = time.monotonic()
        house.senders[0].stop()
    assert time.monotonic() - began < 12
    assert sorted(set(house.states())) == ["acked", "queued", "sent"]


def test_a_destination_that_is_taken_away_is_sent_nothing_more(house: House) -> None:
    with receiving(lambda message, _: ack(message, "AE")) as lab:
        settings = house.peer(lab.port, retry_seconds=3600)
        house.start()
        house.order(house.patient())
        house.settled("failed")
        with house.store.connection() as connection:
            destinations.remove(connection, settings.peer_id)
        until(lambda: not house.senders[0].couriers)
        house.order(house.patient())
    assert house.states() == ["failed"]


def test_what_waits_for_a_destination_that_is_switched_off_leaves_when_it_is_on(house: House) -> None:
    with receiving() as lab:
        settings = house.peer(lab.port)
        house.order(house.patient())
        with house.store.connection() as connection:
            destinations.store_settings(connection, replace(settings, is_active=False))
        house.start()
        house.order(house.patient())
        time.sleep(0.2)
        assert lab.messages == []
        with house.store.connection() as connection:
            destinations.store_settings(connection, settings)
        house.settled("acked")
    assert len(lab.messages) == 1


FILL = """INSERT INTO hl7_message (id, direction, peer_id, raw, sha256, status, lane, attempts, received_at,
    control_id, next_attempt_at)
    SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(g), 12, '0'))::uuid, 'out', %s, 'MSH', md5(g::text),
    'queued', 'Patient/' || (g %% 200), 0, now(), g::text, NULL FROM generate_series(1, 5000) g"""
WAITING = "UPDATE hl7_message SET status = 'failed', next_attempt_at = now() + interval '1h' WHERE id IN"


@pytest.mark.parametrize(
    "held",
    [
        "(SELECT NULL::uuid WHERE false)",
        "(SELECT id FROM hl7_message ORDER BY id LIMIT 1)",
        "(SELECT id FROM hl7_message ORDER BY id LIMIT 199)",
        "(SELECT id FROM hl7_message ORDER BY id LIMIT 200)",
    ],
    ids=["none", "one lane", "all lanes but one", "all lanes"],
)
def test_the_next_of_thousands_is_found_by_few_pages(clean: Store, held: str) -> None:
    with clean.connection() as connection:
        peers.add(connection, peer := peers.Peer(new_id(), "LAB", "LAB", None, "h", 1, "both"))
        connection.execute(FILL.encode(), [peer.id])
        connection.execute(f"{WAITING} {held}".encode())
        # Vacuumed, or it is by chance how many pages of rows that are gone stand in the way.
        connection.execute("VACUUM (ANALYZE) hl7_message")
        at = now()
        found = outbox.head(connection, peer.id, at)
        asked = {"peer": peer.id, "now": at}
        plan = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {outbox.HEAD}".encode(), asked)
        pages = (plan.fetchall()[0][0])[0]["Plan"]
        held_numbers = {row["control_id"] for row in rows(clean, HELD)}
    first = next((n for n in range(1, 201) if str(n) not in held_numbers), None)
    assert (found and found.control_id) == (str(first) if first else None)
    # A thousand messages and two hundred lanes are looked at, with a descent into an index for each.
    assert pages["Shared Hit Blocks"] + pages["Shared Read Blocks"] < 8_000


HELD = "SELECT control_id FROM hl7_message WHERE status = 'failed'"
