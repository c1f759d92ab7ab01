"""What peers are told over the native door: set, changed, looked at, sent again, given up, taken away."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from gateway.app import new_id
from gateway.mllp.metrics import FRESH_SECONDS
from storage import outbox, users
from storage.model.people import SYSTEM_USER_ID
from storage.outbox import Outgoing
from storage.session import Store
from storage.users import Account
from tests.wire.receiver import until

PATH = "/api/v1/hl7/destinations"
PEER = {"name": "lab", "sending_app": "LAB", "direction": "both", "host": "lab.example.org", "port": 2575}
AUDITED = b"SELECT action, detail FROM audit_event WHERE resource_type = 'hl7_destination' ORDER BY at, id"
AT = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture
def lab(http: httpx.Client) -> str:
    """A peer that can be sent to; its destination."""
    assert http.post("/api/v1/hl7/peers", json=PEER).status_code == 201
    return f"{PATH}/lab"


@pytest.fixture
def staff(store: Store) -> Iterator[None]:
    """An administrator and a nurse, named as their roles."""
    with store.connection() as connection:
        for role in ("admin", "nurse"):
            users.add(connection, Account(new_id(), role, role.title(), role, True, None), AT)
    yield
    with store.transaction() as session:
        session.raw.execute("SET LOCAL session_replication_role = replica")
        session.raw.execute("DELETE FROM app_user WHERE id <> %s", (SYSTEM_USER_ID,))


def told(http: httpx.Client, **settings: Any) -> dict[str, Any]:
    answer = http.post(PATH, json={"name": "lab", "order_message": "ORM_O01", **settings})
    assert answer.status_code == 201, answer.text
    return answer.json()


def queue(store: Store, *numbers: str, dead: bool = False) -> list[str]:
    """Queue messages for the laboratory; return their ids."""
    made: list[Outgoing] = []
    with store.transaction() as session:
        peer_id = session.raw.execute("SELECT id FROM hl7_peer WHERE name = 'lab'").fetchone()
        assert peer_id is not None
        for number in numbers:
            header = {"control_id": number, "message_type": "ORM", "trigger_event": "O01"}
            fault = "AR" if dead else None
            made.append(Outgoing(new_id(), peer_id[0], b"MSH|", AT, "Patient/1", header, None, fault))
        outbox.add(session.raw, made, new_id)
    return [str(message.id) for message in made]


def audited(store: Store) -> list[tuple[str, dict[str, Any]]]:
    with store.connection() as connection:
        return connection.execute(AUDITED).fetchall()


def test_a_destination_is_made_shown_listed_and_changed(http: httpx.Client, store: Store, lab: str) -> None:
    made = told(http, order_types=["LAB"], accept_ack="AL", application_ack="AL", tls=True)
    assert (made["order_types"], made["is_sent_to"], made["waiting"]) == (["LAB"], True, 0)
    assert http.get(lab).json() == made
    assert http.get(PATH).json() == [made]
    changed = http.patch(lab, json={"order_types": None, "is_active": False}).json()
    assert changed == made | {"order_types": None, "is_active": False, "is_sent_to": False}
    assert audited(store) == [("C", {"peer": "lab"}), ("U", {"peer": "lab"})]


def test_of_changes_at_once_none_is_lost(http: httpx.Client, store: Store, lab: str) -> None:
    told(http)
    with ThreadPoolExecutor(1) as other:
        with store.transaction() as session:
            session.raw.execute("UPDATE hl7_destination SET echo = true")
            changed = other.submit(http.patch, lab, json={"results": True})
            until(lambda: waits_for_a_lock(store), 20)
        answer = changed.result(20).json()
    assert (answer["echo"], answer["results"]) == (True, True)


def waits_for_a_lock(store: Store) -> bool:
    with store.connection() as connection:
        return connection.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)").fetchone() == (
            True,
        )


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"order_message": "ADT_A01"}, "order_message"),
    ({"status_message": "ORR_O02"}, "accept_ack"),
    ({"application_ack": "NE"}, "accept_ack"),
    ({"application_ack": "ER"}, "application_ack"),
    ({"sending_app": "A|B"}, "sending_app"),
    ({"tls_ca": "no certificate"}, "tls_ca"),
    ({"retry_seconds": 100, "most_retry_seconds": 10}, "most_retry_seconds"),
    ({"ack_seconds": 0}, "ack_seconds"),
    ({"order_typ": ["LAB"]}, "order_typ"),
]


@pytest.mark.parametrize(("settings", "place"), WRONG)
def test_what_cannot_be_is_refused_at_its_place(
    http: httpx.Client, lab: str, settings: dict[str, Any], place: str
) -> None:
    answer = http.post(PATH, json={"name": "lab", **settings})
    assert answer.status_code in (400, 422)
    assert place in answer.text
    assert http.get(lab).status_code == 404


def test_a_message_that_the_version_of_the_peer_lacks_is_refused(http: httpx.Client, lab: str) -> None:
    http.patch("/api/v1/hl7/peers/lab", json={"version": "2.3"})
    answer = http.post(PATH, json={"name": "lab", "order_message": "OML_O21"})
    assert answer.status_code == 422
    assert "HL7 2.3 has no structure OML_O21" in answer.text
    assert http.get(lab).status_code == 404


def test_nobody_who_is_no_peer_is_told_anything(http: httpx.Client, lab: str) -> None:
    assert http.post(PATH, json={"name": "nobody"}).status_code == 404
    told(http)
    assert http.post(PATH, json={"name": "lab"}).status_code == 409
    assert http.get(lab).status_code == 200


def test_what_waits_is_shown_oldest_first_and_given_up(http: httpx.Client, store: Store, lab: str) -> None:
    told(http)
    first, second, _ = queue(store, "A1", "A2", "A3")
    shown = http.get(lab).json()
    assert (shown["waiting"], shown["dead"]) == (3, 0)
    assert shown["waiting_since"].startswith("2026-03-01")
    listed = http.get(f"{lab}/messages", params={"limit": 2}).json()
    assert [letter["id"] for letter in listed] == [first, second]
    assert [letter["type"] for letter in listed] == ["ORM^O01", "ORM^O01"]
    assert http.post(f"{lab}/drop", json={"id": [first]}).json() == {"number": 1}
    assert http.post(f"{lab}/drop", json={"id": [first]}).json() == {"number": 0}
    (dead,) = http.get(f"{lab}/messages", params={"state": "dead"}).json()
    assert (dead["id"], dead["error_text"]) == (first, "given up by hand")
    assert http.get(lab).json()["waiting"] == 2


def test_dead_letters_are_sent_again_under_their_numbers(http: httpx.Client, store: Store, lab: str) -> None:
    told(http)
    first, _ = queue(store, "A1", "A2", dead=True)
    assert http.post(f"{lab}/resend", json={"id": [first]}).json() == {"number": 1}
    (waiting,) = http.get(f"{lab}/messages").json()
    assert (waiting["id"], waiting["control_id"], waiting["status"]) == (first, "A1", "queued")
    assert http.post(f"{lab}/resend", json={}).json() == {"number": 1}
    assert audited(store)[1:] == [("E", {"peer": "lab", "resent": 1})] * 2


def test_a_destination_that_is_taken_away_leaves_dead_letters(
    http: httpx.Client, store: Store, lab: str
) -> None:
    told(http)
    queue(store, "A1", "A2")
    assert http.delete(lab).status_code == 204
    assert http.get(lab).status_code == 404
    dead = http.get(f"{lab}/messages", params={"state": "dead"}).json()
    assert [letter["error_text"] for letter in dead] == ["the destination was taken away"] * 2
    assert http.post(f"{lab}/resend", json={}).status_code == 404
    assert audited(store)[-1] == ("D", {"peer": "lab", "dead": 2})


@pytest.mark.usefixtures("staff")
def test_only_administrators_say_who_is_told_what(http: httpx.Client, store: Store, lab: str) -> None:
    told(http)
    queue(store, "A1")
    nurse = {"X-User": "nurse"}
    refused = [
        http.post(PATH, json={"name": "lab"}, headers=nurse),
        http.patch(lab, json={"echo": True}, headers=nurse),
        http.delete(lab, headers=nurse),
        http.post(f"{lab}/resend", json={}, headers=nurse),
        http.post(f"{lab}/drop", json={}, headers=nurse),
    ]
    assert [answer.status_code for answer in refused] == [403] * 5
    assert http.get(lab, headers=nurse).json()["waiting"] == 1
    assert http.patch(lab, json={"echo": True}, headers={"X-User": "admin"}).json()["echo"] is True


def test_what_waits_is_told_to_prometheus_and_shown_on_a_page(
    http: httpx.Client, store: Store, lab: str
) -> None:
    assert http.get(lab).status_code == 404
    told(http, results=True)
    queue(store, "A1", "A2")
    queue(store, "A3", dead=True)
    # Whoever has asked just before was told what is still good for a while.
    until(lambda: 'destination="lab"' in http.get("/metrics").text, FRESH_SECONDS + 5)
    lines = http.get("/metrics").text.splitlines()
    counted = {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}
    assert counted['suture_hl7_destination_messages{destination="lab",state="waiting"}'] == 2
    assert counted['suture_hl7_destination_messages{destination="lab",state="dead"}'] == 1
    assert counted['suture_hl7_destination_oldest_waiting_seconds{destination="lab"}'] > 0
    page = http.get("/pages/destinations").text
    assert "lab.example.org:2575" in page
    assert "ORM_O01, ORU_R01" in page
    assert "direction=out&amp;state=waiting&amp;peer=lab" in page
