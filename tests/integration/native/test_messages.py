"""The store of HL7v2 messages at the native door: listed, counted, shown, replayed."""

from __future__ import annotations

import time
from base64 import b64decode
from typing import Any

import httpx
import pytest

from gateway.app import new_id, now
from gateway.mllp.receive import Receiver
from gateway.records import Records
from mappings.messages.handlers import HANDLERS
from mappings.messages.workspace import Desk
from storage import users
from storage.session import Store
from storage.users import Account
from tests.fixtures.server import rows
from tests.wire.messages import FAMILY, header, message, order, result

MESSAGES = "/api/v1/hl7/messages"


class Peer:
    """Whoever sends messages, applied as the listener applies them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.receiver = Receiver(Records(store, now, new_id))

    def send(self, *payloads: bytes) -> None:
        for payload in payloads:
            self.receiver.receive(payload, "10.1.2.3")

    def fail(self, *payloads: bytes) -> None:
        """Send messages that fail by a fault of ours, which is mended then."""
        with pytest.MonkeyPatch.context() as patched:
            for kind in HANDLERS:
                patched.setitem(HANDLERS, kind, broken)
            self.send(*payloads)


def account(store: Store, role: str) -> str:
    """Add an account and return its name; accounts stay in a database."""
    name = f"{role}-{new_id()}"
    with store.connection() as connection:
        users.add(connection, Account(new_id(), name, name, role, True, None), now())
    return name


def broken(desk: Desk) -> None:
    raise RuntimeError(desk.message.raw.decode())


@pytest.fixture
def peer(clean: Store) -> Peer:
    return Peer(clean)


def listed(http: httpx.Client, **asked: Any) -> list[dict[str, Any]]:
    answer = http.get(MESSAGES, params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]


def ids(http: httpx.Client, **asked: Any) -> list[str]:
    return [item["control_id"] for item in listed(http, **asked)]


def test_messages_are_listed_newest_first_and_by_filters(http: httpx.Client, peer: Peer) -> None:
    peer.send(order("m1", "A1"), result("m2", "A1"), order("m3", "A3", patient="99"), order("m1", "A1"))
    peer.send(order("m4", "A4", kind="ZZZ^Z01"))
    assert ids(http) == ["m4", "m1", "m3", "m2", "m1"]
    assert ids(http, status="applied") == ["m3", "m2", "m1"]
    assert ids(http, status="duplicate", sender="EHR") == ["m1"]
    assert ids(http, state="failed") == ids(http, state="open") == ["m4"]
    assert ids(http, type="ORU") == ids(http, type="ORU^R01") == ["m2"]
    assert ids(http, type="ORU^R02") == []
    assert ids(http, control_id="m3") == ["m3"]
    assert ids(http, direction="out") == ids(http, date_to="2001") == []
    assert len(ids(http, date_from="2001")) == 5
    patient = http.get("/fhir/Patient?identifier=99").json()["entry"][0]["resource"]["id"]
    assert ids(http, patient_id=patient) == ["m3"]
    page = http.get(MESSAGES, params={"page": 2, "page_size": 2}).json()
    assert (page["total"], page["pages"], [item["control_id"] for item in page["items"]]) == (
        5,
        3,
        ["m3", "m2"],
    )


@pytest.mark.parametrize("asked", [{"state": "done"}, {"type": "orm"}, {"date_from": "x"}, {"colour": "red"}])
def test_a_filter_that_is_none_is_refused(http: httpx.Client, asked: dict[str, str]) -> None:
    answer = http.get(MESSAGES, params=asked)
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_list_tells_nothing_that_stands_in_a_message(http: httpx.Client, peer: Peer) -> None:
    peer.send(order("m1", "A1"))
    peer.fail(order("m2", "A2"))
    text = http.get(MESSAGES).text
    assert FAMILY not in text
    assert "4711" not in text


def test_a_message_is_shown_with_bytes_fields_result_and_answer(http: httpx.Client, peer: Peer) -> None:
    sent = order("m1", "A1") + b"ZPI|1|house\r"
    peer.send(sent, sent)
    found = http.get(f"{MESSAGES}/{listed(http, status='applied')[0]['id']}").json()
    assert b64decode(found["raw"]) == sent
    assert found["text"].splitlines()[1].startswith("PID|1||4711")
    fields = {field["place"]: field for segment in found["segments"] for field in segment["fields"]}
    assert fields["PID[1]-5"]["value"] == f"{FAMILY}^Ann"
    assert (fields["PID[1]-5"]["fate"], fields["PID[1]-5"]["elements"]) == ("mapped", ["Patient.name"])
    assert fields["PID[1]-1"]["fate"] == "ignored"
    assert fields["ZPI[1]-2"]["fate"] == "warned"
    assert "untold" not in {field["fate"] for field in fields.values()}
    written = {item["resource"].split("/")[0]: item for item in found["written"]}
    assert written["ServiceRequest"]["action"] == "created"
    assert http.get(f"/fhir/{written['ServiceRequest']['resource']}").status_code == 200
    assert {change["action"] for change in found["changes"]} == {"create"}
    assert found["acknowledgement"]["code"] == "AA"
    assert "MSA|AA|m1" in found["acknowledgement"]["text"]
    assert [item["status"] for item in found["repeats"]] == ["duplicate"]


def test_what_cannot_be_read_is_shown_all_the_same(http: httpx.Client, peer: Peer) -> None:
    peer.send(b"\xff\x00no message", message(header("m1")))
    first, second = listed(http)[::-1]
    unreadable = http.get(f"{MESSAGES}/{first['id']}").json()
    assert b64decode(unreadable["raw"]) == b"\xff\x00no message"
    assert (unreadable["segments"], unreadable["status"]) == ([], "rejected")
    refused = http.get(f"{MESSAGES}/{second['id']}").json()
    assert refused["error_code"] == "100"
    assert {field["fate"] for segment in refused["segments"] for field in segment["fields"]} == {"refused"}


@pytest.mark.parametrize("key", ["x", "019a0000-0000-7000-8000-000000000000"])
def test_a_message_that_is_not_there_is_not_found(http: httpx.Client, key: str) -> None:
    assert http.get(f"{MESSAGES}/{key}").status_code == 404
    assert http.post(f"{MESSAGES}/{key}/replay", json={}).status_code == 404


def test_messages_are_replayed_by_filters_and_before_that_for_show(http: httpx.Client, peer: Peer) -> None:
    peer.fail(order("m1", "A1"), result("m2", "A1"))
    before = rows(peer.store)
    shown = http.post(f"{MESSAGES}/replay", json={"state": "open", "dry_run": True})
    assert shown.status_code == 200, shown.text
    assert rows(peer.store) == before
    told = shown.json()
    assert (told["dry_run"], told["total"], told["done"], told["failed"]) == (True, 2, 2, 0)
    differences = {
        item["path"]: (item["before"], item["after"])
        for change in told["items"][1]["changes"]
        if change["resource"].startswith("ServiceRequest/")
        for item in change["differences"]
    }
    assert differences["status"] == ("active", "completed")
    done = http.post(f"{MESSAGES}/replay", json={"state": "open"}).json()
    assert [item["entry"]["status"] for item in done["items"]] == ["applied", "applied"]
    assert http.post(f"{MESSAGES}/replay", json={"state": "open"}).json()["total"] == 0
    assert [item["replayed_by"] for item in listed(http, status="applied")] == ["system", "system"]


def test_one_message_is_replayed_or_told_why_it_is_not(http: httpx.Client, peer: Peer) -> None:
    peer.send(order("m1", "A1"), order("m1", "A1"))
    repeat, first = listed(http)
    assert http.post(f"{MESSAGES}/{first['id']}/replay", json={"dry_run": True}).json()["done"]
    refused = http.post(f"{MESSAGES}/{repeat['id']}/replay", json={})
    assert refused.status_code == 409
    assert first["id"] in refused.json()["detail"]
    done = http.post(f"{MESSAGES}/{first['id']}/replay", json={}).json()
    assert done["entry"]["replay_of"] == done["entry"]["duplicate_of"] == first["id"]


def test_a_replay_of_nothing_in_particular_is_refused(http: httpx.Client, peer: Peer) -> None:
    peer.fail(order("m1", "A1"))
    assert http.post(f"{MESSAGES}/replay", json={"limit": 5}).status_code == 422
    gone = ["019a0000-0000-7000-8000-000000000000"]
    assert http.post(f"{MESSAGES}/replay", json={"id": gone}).status_code == 404
    assert http.post(f"{MESSAGES}/replay", data={"state": "open"}).status_code == 415
    assert len(listed(http)) == 1


def test_accounts_that_may_not_replay_are_refused(http: httpx.Client, peer: Peer) -> None:
    peer.fail(order("m1", "A1"))
    nurse = account(peer.store, "nurse")
    answer = http.post(f"{MESSAGES}/replay", json={"state": "open"}, headers={"x-user": nurse})
    assert answer.status_code == 403
    assert [item["status"] for item in listed(http)] == ["error"]


def test_what_was_received_is_all_accounted_for(http: httpx.Client, peer: Peer) -> None:
    peer.send(order("m1", "A1"), order("m1", "A1"), order("m4", "A4", kind="ZZZ^Z01"))
    peer.fail(order("m2", "A2"))
    told = http.get(f"{MESSAGES}/count").json()
    groups = {name: told[name] for name in ("applied", "duplicate", "rejected", "failed", "waiting")}
    assert groups == {"applied": 1, "duplicate": 1, "rejected": 1, "failed": 1, "waiting": 0}
    assert (told["received"], told["unexplained"], told["open"]) == (4, 0, 2)
    assert http.get(f"{MESSAGES}/count", params={"type": "ORM"}).json()["received"] == 3


def test_who_looked_at_a_message_of_a_patient_stands_in_the_trail(http: httpx.Client, peer: Peer) -> None:
    peer.send(order("m1", "A1"))
    nurse = account(peer.store, "nurse")
    key = listed(http)[0]["id"]
    assert http.get(f"{MESSAGES}/{key}", headers={"x-user": nurse}).status_code == 200
    asked = """SELECT count(*) FROM audit_event a JOIN patient p ON p.id = a.patient_id
        WHERE a.action = 'R' AND a.role = 'nurse'"""
    for _ in range(50):
        with peer.store.connection() as connection:
            found = connection.execute(asked).fetchone()
        if found == (1,):
            return
        time.sleep(0.1)
    raise AssertionError("nobody is told to have looked")


def test_the_metrics_count_messages_by_what_became_of_them(http: httpx.Client, peer: Peer) -> None:
    text = http.get("/metrics").text
    assert "# TYPE suture_hl7_messages gauge" in text
    assert "suture_hl7_oldest_waiting_seconds" in text
    assert "suture_request_duration_seconds" in text
