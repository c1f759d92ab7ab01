"""Messages of the store replayed: what failed, what waits, what was applied; for good and for show.

HL7 v2.5.1, section 2.9: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest

from gateway import errors
from gateway.app import new_id, now
from gateway.mllp.counts import reconcile
from gateway.mllp.replay import choose, replay
from gateway.records import Caller, Records
from mappings.messages.handlers import HANDLERS
from mappings.messages.workspace import Desk
from storage.session import Store
from tests.integration.native.test_messages import account
from tests.wire.conftest import Running
from tests.wire.messages import header, journal, message, msa, order, orders, result, rows, states
from tests.wire.peer import ExpectClose, HalfClose, Send, call

OPERATOR = Caller("system")


@pytest.fixture
def records(listener: Running) -> Records:
    return Records(listener.store, now, new_id)


def fail(desk: Desk) -> None:
    raise RuntimeError(desk.message.raw.decode())


def failed(listener: Running, monkeypatch: pytest.MonkeyPatch, *sent: bytes) -> list[UUID]:
    """Let messages fail as they would by a fault of ours that is mended later, and return their entries."""
    before = len(journal(listener.store))
    with monkeypatch.context() as patched:
        for kind in HANDLERS:
            patched.setitem(HANDLERS, kind, fail)
        assert {msa(answer)[0] for answer in listener.send(*sent)} == {"AE"}
    return [row["id"] for row in journal(listener.store)[before:]]


def versions(store: Store) -> list[dict[str, Any]]:
    return rows(store, "SELECT resource_id, version FROM resource_version ORDER BY 1, 2")


def test_a_failed_message_is_replayed_as_an_entry_of_its_own(
    listener: Running, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    (key,) = failed(listener, monkeypatch, order("m1", "A1"))
    (old,) = journal(listener.store)
    (outcome,) = replay(records, OPERATOR, [key])
    assert outcome.is_done
    first, second = journal(listener.store)
    assert first == old
    assert (second["status"], second["ack_code"], second["raw"]) == ("applied", "AA", old["raw"])
    assert (second["replay_of_id"], second["replayed_by"]) == (key, "system")
    assert outcome.entry["id"] == second["id"]
    assert orders(listener.store) == {"A1": 1}


def test_what_a_replay_has_applied_is_a_repeat_when_the_sender_sends_it_again(
    listener: Running, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = order("m1", "A1")
    replay(records, OPERATOR, failed(listener, monkeypatch, sent))
    before = versions(listener.store)
    (answer,) = listener.send(sent)
    assert msa(answer) == ("AA", "m1")
    assert states(listener.store) == ["error", "applied", "duplicate"]
    assert versions(listener.store) == before


def test_a_failed_message_that_was_applied_since_is_not_applied_again(
    listener: Running, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = order("m1", "A1")
    (key,) = failed(listener, monkeypatch, sent)
    listener.send(sent)
    before = versions(listener.store)
    (outcome,) = replay(records, OPERATOR, [key])
    assert outcome.entry["status"] == "duplicate"
    assert outcome.entry["replay_of_id"] == key
    assert versions(listener.store) == before


def test_a_message_that_waits_is_taken_up_where_it_was_left(listener: Running, records: Records) -> None:
    listener.send(order("m1", "A1"))
    with listener.store.connection() as connection:
        # As a gateway leaves it that dies between the journal and the commit.
        connection.execute("UPDATE hl7_message SET status = 'received', attempts = 0, ack_raw = NULL")
    (key,) = choose(records, {"state": "waiting"})
    (outcome,) = replay(records, OPERATOR, [key])
    assert (outcome.entry["id"], outcome.entry["status"]) == (key, "applied")
    assert states(listener.store) == ["applied"]
    assert orders(listener.store) == {"A1": 1}


def test_an_applied_message_is_applied_once_more_only_by_a_replay(
    listener: Running, records: Records
) -> None:
    listener.send(result("m1", "A1", value="13.2"), result("m2", "A1", value="14.0"))
    first, second = (row["id"] for row in journal(listener.store))
    (outcome,) = replay(records, OPERATOR, [first])
    assert outcome.entry["status"] == "applied"
    assert outcome.entry["duplicate_of_id"] == outcome.entry["replay_of_id"] == first
    (again,) = listener.send(result("m1", "A1", value="13.2"))
    assert msa(again) == ("AA", "m1")
    assert states(listener.store) == ["applied", "applied", "applied", "duplicate"]
    assert second != outcome.entry["id"]


def test_a_dry_run_changes_nothing_and_shows_what_would_differ(
    listener: Running, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    listener.send(order("m1", "A1"))
    keys = failed(listener, monkeypatch, result("m2", "A1"), result("m3", "A1", value="14.0"))
    before, entries = versions(listener.store), journal(listener.store)
    first, second = replay(records, OPERATOR, keys, dry_run=True)
    assert (versions(listener.store), journal(listener.store)) == (before, entries)
    assert first.entry["status"] == second.entry["status"] == "applied"
    told = {change.resource.split("/")[0]: change for change in first.changes}
    assert told["ServiceRequest"].action == "update"
    assert ("status", "active", "completed") in told["ServiceRequest"].differences
    assert told["DiagnosticReport"].action == "create"
    # The second comes after the first here too: it changes the observation that the first has made.
    (observation,) = (change for change in second.changes if change.resource.startswith("Observation/"))
    assert observation.action == "update"
    (value,) = (item for item in observation.differences if item.path == "valueQuantity.value")
    assert (str(value.before), str(value.after)) == ("13.2", "14.0")


def test_a_dry_run_shows_what_the_replay_then_does(
    listener: Running, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = failed(listener, monkeypatch, order("m1", "A1"), result("m2", "A1"))

    def told(dry_run: bool) -> list[Any]:
        outcomes = replay(records, OPERATOR, keys, dry_run=dry_run)
        return [
            (each.entry["status"], sorted((c.resource.split("/")[0], c.action) for c in each.changes))
            for each in outcomes
        ]

    expected = told(True)
    assert told(False) == expected
    assert expected[0][1]


def test_many_are_replayed_in_the_order_in_which_they_came(
    listener: Running, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = [order("m1", "A1"), *(result(f"m{n}", "A1", value=str(n)) for n in range(2, 7))]
    keys = failed(listener, monkeypatch, *sent)
    assert choose(records, {"state": "open"}) == keys
    assert choose(records, {"state": "open"}, limit=2) == keys[:2]
    replay(records, OPERATOR, choose(records, {"state": "open", "message_type": "ORM"}))
    replay(records, OPERATOR, choose(records, {"state": "open"}))
    assert choose(records, {"state": "open"}) == []
    found = rows(listener.store, "SELECT value_value FROM observation")
    assert [row["value_value"] for row in found] == [6]


def test_one_that_fails_does_not_keep_those_after_it(
    listener: Running, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = message(header("m0"), "PID|1||7^^^CITY^MR")
    keys = failed(listener, monkeypatch, bad, order("m1", "A1"))
    first, second = replay(records, OPERATOR, keys)
    assert not first.is_done
    assert first.entry["error_code"] == "100"
    assert second.is_done
    assert orders(listener.store) == {"A1": 1}


def test_repeats_and_parts_of_messages_are_not_replayed(listener: Running, records: Records) -> None:
    listener.send(order("m1", "A1"), order("m1", "A1"))
    call(listener.port, [Send(b"\x0b" + order("m5", "A5")[:120]), HalfClose(), ExpectClose()])
    before = versions(listener.store)
    _, repeat, part = (row["id"] for row in journal(listener.store))
    outcomes = replay(records, OPERATOR, [repeat, part])
    assert [each.entry["id"] for each in outcomes] == [repeat, part]
    assert all(each.skipped and not each.is_done for each in outcomes)
    assert versions(listener.store) == before
    assert len(states(listener.store)) == 3


def test_only_some_roles_replay_and_the_trail_tells_of_it(
    listener: Running, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = failed(listener, monkeypatch, order("m1", "A1"))
    viewer, nurse, admin = (account(listener.store, role) for role in ("viewer", "nurse", "admin"))
    for name in (viewer, nurse):
        with pytest.raises(errors.Forbidden):
            replay(records, Caller("rest", name), keys)
    assert states(listener.store) == ["error"]
    replay(records, Caller("rest", admin), keys)
    assert journal(listener.store)[1]["replayed_by"] == admin
    told = rows(listener.store, "SELECT outcome, detail FROM audit_event WHERE action = 'E' ORDER BY at")
    assert [row["outcome"] for row in told] == ["4", "4", "0"]
    assert told[2]["detail"] == {"replayed": [str(keys[0])], "dry_run": False}


def test_what_came_is_counted_as_what_became_of_it_and_replays_apart(
    listener: Running, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = failed(listener, monkeypatch, order("m1", "A1"), order("m2", "A2"))
    listener.send(order("m3", "A3"), order("m3", "A3"), order("m4", "A4", kind="ZZZ^O01"))
    told = reconcile(records, {})
    assert (told.received, told.applied, told.duplicate, told.rejected, told.failed) == (5, 1, 1, 1, 2)
    assert (told.open, told.waiting, told.unexplained, told.replays) == (3, 0, 0, {})
    replay(records, OPERATOR, keys[:1])
    told = reconcile(records, {})
    assert (told.received, told.failed, told.open, told.replays) == (5, 2, 2, {"applied": 1})
    with listener.store.connection() as connection:
        connection.execute("UPDATE hl7_message SET status = 'received' WHERE control_id = 'm2'")
    told = reconcile(records, {"control_id": "m2"})
    assert (told.received, told.waiting) == (1, 1)
    assert told.oldest_waiting == journal(listener.store)[1]["received_at"]


def test_what_left_and_was_given_up_is_queued_again(listener: Running, records: Records) -> None:
    listener.send(order("m1", "A1"))
    with listener.store.connection() as connection:
        # As the sender of messages leaves one that its destination has rejected.
        connection.execute(
            "INSERT INTO hl7_message (id, direction, raw, sha256, status, attempts, received_at, finished_at)"
            " SELECT unnest(%s::uuid[]), 'out', raw, sha256, unnest(%s::text[]), 3, received_at, finished_at"
            " FROM hl7_message",
            ([new_id(), new_id()], ["dead", "acked"]),
        )
    assert choose(records, {"state": "failed"}) == []
    dead, acked = choose(records, {"direction": "out"})
    (shown,) = replay(records, OPERATOR, [dead], dry_run=True)
    assert shown.entry["status"] == "queued"
    assert choose(records, {"direction": "out", "state": "waiting"}) == []
    first, second = replay(records, OPERATOR, [dead, acked])
    assert (first.is_done, first.entry["id"], first.entry["attempts"]) == (True, dead, 0)
    assert second.skipped
    assert choose(records, {"direction": "out", "state": "waiting"}) == [dead]
    assert reconcile(records, {}).outgoing == {"queued": 1, "acked": 1}


def test_many_that_were_there_before_are_replayed_while_others_come_in(
    listener: Running, records: Records, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys = failed(listener, monkeypatch, *(order(f"m{n}", f"A{n}") for n in range(8)))
    with ThreadPoolExecutor(3) as pool:
        replays = [pool.submit(replay, records, OPERATOR, keys) for _ in range(2)]
        sent = pool.submit(listener.send, *(order(f"m{n}", f"A{n}") for n in range(8)))
        assert {msa(answer)[0] for answer in sent.result()} == {"AA"}
        outcomes = [outcome for each in replays for outcome in each.result()]
    assert {outcome.entry["status"] for outcome in outcomes} <= {"applied", "duplicate"}
    assert orders(listener.store) == {f"A{n}": 1 for n in range(8)}
    told = rows(listener.store, "SELECT control_id FROM hl7_message WHERE status = 'applied'")
    assert sorted(row["control_id"] for row in told) == [f"m{n}" for n in range(8)]
    assert reconcile(records, {}).waiting == 0
