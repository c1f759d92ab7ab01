"""The HL7v2 peers over the native door: what is told of each, and who may change it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from gateway.app import new_id
from storage import users
from storage.model.people import SYSTEM_USER_ID
from storage.session import Store
from storage.users import Account

PATH = "/api/v1/hl7/peers"
EHR = {"name": "ehr", "sending_app": "EHR", "sending_facility": "CITY"}


@pytest.fixture
def staff(store: Store, http: httpx.Client) -> Iterator[None]:
    """An administrator and a nurse, named as their roles."""
    with store.connection() as connection:
        for role in ("admin", "nurse"):
            account = Account(new_id(), role, role.title(), role, True, None)
            users.add(connection, account, datetime(2026, 3, 1, tzinfo=UTC))
    yield
    with store.transaction() as session:
        session.raw.execute("SET LOCAL session_replication_role = replica")
        session.raw.execute("DELETE FROM app_user WHERE id <> %s", (SYSTEM_USER_ID,))


def added(http: httpx.Client, **told: Any) -> dict[str, Any]:
    answer = http.post(PATH, json=EHR | told)
    assert answer.status_code == 201, answer.text
    return answer.json()


def test_a_peer_is_added_with_what_stands_for_what_is_not_told(http: httpx.Client) -> None:
    made = added(http, addresses=["10.1.0.0/16"], authorities={"CITY": "http://city.example.org/mrn"})
    assert {name: made[name] for name in EHR} == EHR
    assert (made["addresses"], made["message_types"]) == (["10.1.0.0/16"], None)
    assert (made["strictness"], made["ack_mode"], made["is_active"]) == ("lenient", "enhanced", True)
    assert http.get(f"{PATH}/ehr").json() == made
    assert http.get(PATH).json() == [made]


def test_a_peer_is_changed_where_something_is_told(http: httpx.Client) -> None:
    made = added(http, message_types=["ORM^O01"], versions=["2.5.1"])
    told = {"message_types": None, "strict_ids": True, "certificate": "AB:" * 31 + "CD"}
    changed = http.patch(f"{PATH}/ehr", json=told)
    assert changed.status_code == 200
    kept = {"message_types": None, "strict_ids": True, "certificate": "ab" * 31 + "cd"}
    assert changed.json() == made | kept == http.get(f"{PATH}/ehr").json()


@pytest.mark.parametrize(
    ("told", "status", "expression"),
    [
        ({"addresses": ["ward"]}, 422, "addresses"),
        ({"message_types": ["orm"]}, 422, "message_types"),
        ({"versions": ["2.9"]}, 422, "versions"),
        ({"charset": "UTF-16"}, 422, "charset"),
        ({"authorities": {"CITY": "no URI"}}, 422, "authorities"),
        ({"study_field": "ZDS"}, 422, "study_field"),
        ({"direction": "both"}, 422, "host"),
        ({"sending_app": None, "sending_facility": None}, 422, "sending_app"),
        ({"sending_app": "E\aR"}, 422, "sending_app"),
        ({"authorities": {"C\nY": "http://city.example.org"}}, 422, "authorities"),
        ({"strictness": "very"}, 422, "strictness"),
        ({"colour": "red"}, 422, "colour"),
    ],
)
def test_what_a_peer_may_not_be_is_refused_by_name(
    http: httpx.Client, told: dict[str, Any], status: int, expression: str
) -> None:
    answer = http.post(PATH, json=EHR | told)
    assert (answer.status_code, answer.json()["errors"][0]["expression"]) == (status, expression)
    assert http.get(PATH).json() == []


def test_neither_name_nor_sender_is_taken_twice(http: httpx.Client) -> None:
    added(http)
    for other in (EHR | {"sending_app": "LAB"}, EHR | {"name": "other"}):
        assert http.post(PATH, json=other).status_code == 409
    added(http, name="other", sending_facility=None)
    assert http.patch(f"{PATH}/other", json={"sending_facility": "CITY"}).status_code == 409


def test_a_peer_that_is_not_there_is_not_found(http: httpx.Client) -> None:
    assert http.get(f"{PATH}/ehr").status_code == 404
    assert http.patch(f"{PATH}/ehr", json={"strict_ids": True}).status_code == 404


def test_only_administrators_change_peers_where_roles_are_judged(
    http: httpx.Client, staff: None, store: Store
) -> None:
    assert http.post(PATH, json=EHR, headers={"x-user": "nurse"}).status_code == 403
    assert http.post(PATH, json=EHR, headers={"x-user": "admin"}).status_code == 201
    change = {"strict_ids": True}
    assert http.patch(f"{PATH}/ehr", json=change, headers={"x-user": "nurse"}).status_code == 403
    assert http.get(f"{PATH}/ehr", headers={"x-user": "nurse"}).json()["strict_ids"] is False
    with store.connection() as connection:
        told = connection.execute(
            "SELECT action, username, detail ->> 'peer' FROM audit_event e"
            " JOIN app_user u ON u.id = e.actor_id WHERE resource_type = 'hl7_peer'"
        ).fetchall()
    assert told == [("C", "admin", "ehr")]
