"""What is in the database after a storm: each message once, and all that it wrote once.

HL7 v2.5.1, section 2.9: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from collections import Counter

from gateway.app import new_id, now
from gateway.mllp.counts import Reconciliation, reconcile
from gateway.records import Records
from mappings.er7 import Message
from storage.session import Store
from tests.wire.messages import orders, rows
from tests.wire.storm import Storm

APPLIED = "SELECT control_id FROM hl7_message WHERE direction = 'in' AND status = 'applied'"
LIVE = "SELECT i.value FROM identifier i JOIN resource r ON r.id = i.owner_id WHERE r.deleted_at IS NULL"
REPORTS = "SELECT id FROM resource WHERE resource_type = 'DiagnosticReport' AND deleted_at IS NULL"


def check_kept(store: Store, accepted: list[str]) -> None:
    """What was accepted by then is in the journal as applied, once."""
    found = _counted(store, APPLIED)
    assert [name for name in accepted if found[name] != 1] == []


def check_journal(store: Store, storm: Storm) -> Reconciliation:
    """The journal accounts for every message and every answer."""
    listed = rows(store, "SELECT control_id, status, ack_raw FROM hl7_message WHERE direction = 'in'")
    states: dict[str, Counter[str]] = {}
    for row in listed:
        states.setdefault(row["control_id"], Counter())[row["status"]] += 1
    answers = {row["ack_raw"] for row in listed}
    for sender in storm.everybody():
        for name, sent in sender.sent.items():
            told = sender.answers[name]
            assert len(told) <= states[name].total() <= sender.attempts[name], (name, states[name])
            assert states[name]["received"] == 0
            assert states[name]["applied"] == (1 if sent.code == "AA" else 0), (name, states[name])
            assert states[name]["duplicate"] == 0 or sent.code == "AA"
            good = {answer for code, answer in told if code == sent.code}
            assert len(good) == 1 or sent.code != "AA", f"{name} was answered in several ways"
            assert {answer for _, answer in told} <= answers
    assert states.keys() == {name for sender in storm.everybody() for name in sender.sent}
    counts = reconcile(Records(store, now, new_id), {})
    assert (counts.waiting, counts.unexplained) == (0, 0)
    assert counts.received == counts.applied + counts.duplicate + counts.rejected + counts.failed
    assert counts.received == len(listed)
    return counts


def check_records(store: Store, storm: Storm) -> None:
    """Each order, report, observation and patient is there once, and nothing else is."""
    accepted = storm.accepted()
    ordered = {name[1:] for name in accepted if name[0] == "n"}
    same(Counter(orders(store)), Counter(ordered))
    results = [name for name in accepted if name[0] in "rs"]
    fillers = _counted(store, f"{LIVE} AND i.system LIKE '%LAB' AND r.resource_type = 'DiagnosticReport'")
    same(fillers, Counter(f"F{name[1:]}" for name in results))
    values = _counted(store, "SELECT value_text FROM observation")
    same(values, Counter(f"{name}-{number}" for name in results for number in (1, 2)))
    assert len(rows(store, REPORTS)) == len(results)
    patients = _counted(store, f"{LIVE} AND i.resource_type = 'Patient'")
    assert set(patients.values()) == {1}
    (kept,) = rows(store, "SELECT count(*) AS n FROM patient")
    assert kept["n"] == len(patients)


def check_versions(store: Store, storm: Storm) -> None:
    """Each message has written each of its resources once: in a version of that resource, and no other."""
    assert rows(store, f"{STRAY} LIMIT 5") == []
    assert rows(store, f"{GAPS} LIMIT 5") == []
    assert rows(store, f"{UNLINKED} LIMIT 5") == []
    assert rows(store, f"{TWICE} LIMIT 5") == []
    changes = [name for name in storm.accepted() if name[0] == "x"]
    same(_counted(store, CHANGES), Counter(changes))


STRAY = """SELECT v.resource_id, v.version, m.status FROM resource_version v
    JOIN hl7_message m ON m.id = v.message_id WHERE m.status <> 'applied'"""
"""Versions that are of a message which was not applied."""
GAPS = """SELECT r.id FROM resource r LEFT JOIN resource_version v ON v.resource_id = r.id
    GROUP BY r.id HAVING count(v.version) <> r.version OR max(v.version) <> r.version"""
"""Resources whose versions are not 1 to the current one."""
UNLINKED = """SELECT l.message_id, l.resource_id FROM hl7_message_link l
    JOIN hl7_message m ON m.id = l.message_id
    LEFT JOIN resource_version v ON v.resource_id = l.resource_id AND v.version = l.version
    WHERE m.direction = 'in' AND (v.resource_id IS NULL
        OR (l.action <> 'matched') <> (v.message_id IS NOT DISTINCT FROM l.message_id))"""
"""Links of messages to what they did not write, or to nothing."""
TWICE = """SELECT message_id, resource_id FROM resource_version WHERE message_id IS NOT NULL
    GROUP BY 1, 2 HAVING count(*) > 1"""
"""Resources that one message has written twice."""
CHANGES = """SELECT m.control_id FROM resource_version v JOIN resource r ON r.id = v.resource_id
    JOIN hl7_message m ON m.id = v.message_id
    WHERE r.resource_type = 'ServiceRequest' AND m.control_id LIKE 'x%'"""


def check_told(store: Store, heard: list[Message]) -> int:
    """What was queued for a peer reached it, each under its own number and with the same bytes each time;
    for each version of an order that there was something to tell of, there is one message. Return how many.
    """
    queued = rows(store, "SELECT control_id, raw, status FROM hl7_message WHERE direction = 'out'")
    assert Counter(row["status"] for row in queued).keys() <= {"acked"}
    assert Counter(row["control_id"] for row in queued).most_common(1)[0][1] == 1
    told = {message.control_id: set[bytes]() for message in heard}
    for message in heard:
        told[message.control_id].add(message.raw)
    assert told == {row["control_id"]: {bytes(row["raw"])} for row in queued}
    assert rows(store, f"{UNTOLD} LIMIT 5") == []
    return len(queued)


UNTOLD = """SELECT v.resource_id, v.version, count(o.id) FROM resource_version v
    JOIN resource r ON r.id = v.resource_id AND r.resource_type = 'ServiceRequest'
    JOIN hl7_message i ON i.id = v.message_id AND i.message_type = 'ORM'
    LEFT JOIN hl7_message_link l ON l.resource_id = v.resource_id AND l.version = v.version
    LEFT JOIN hl7_message o ON o.id = l.message_id AND o.direction = 'out'
    GROUP BY 1, 2 HAVING count(o.id) <> 1"""
"""Versions of orders of which a peer was told not once."""


def same(found: Counter[str], wanted: Counter[str]) -> None:
    """Fail with what is too many and what is missing."""
    assert found == wanted, f"too many: {[*(found - wanted)][:5]}, missing: {[*(wanted - found)][:5]}"


def _counted(store: Store, statement: str) -> Counter[str]:
    return Counter(next(iter(row.values())) for row in rows(store, statement))
