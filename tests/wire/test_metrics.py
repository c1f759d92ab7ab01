"""What Prometheus is told of messages.

https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

import pytest

from gateway.app import new_id, now
from gateway.mllp import metrics
from gateway.mllp.metrics import Counted
from gateway.mllp.receive import Receiver
from gateway.mllp.replay import choose, replay
from gateway.records import Caller, Records
from mappings.messages.handlers import HANDLERS
from storage.session import Store
from tests.fixtures.server import renamed
from tests.wire.messages import order


def told(counted: Counted) -> dict[str, float]:
    lines = (line.rpartition(" ") for line in counted.text().decode().splitlines() if line[0] != "#")
    return {name: float(value) for name, _, value in lines}


def test_messages_are_counted_for_prometheus(clean: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "FRESH_SECONDS", 0.0)
    records = Records(clean, now, new_id)
    receiver, counted = Receiver(records), Counted(records)
    handler = HANDLERS.pop(("ORM", "O01"))
    try:
        receiver.receive(order("m1", "A1"), "")
    finally:
        HANDLERS["ORM", "O01"] = handler
    receiver.receive(order("m2", "A2"), "")
    receiver.receive(order("m2", "A2"), "")
    replay(records, Caller("system"), choose(records, {"state": "open"}))
    with clean.connection() as connection:
        connection.execute(
            "INSERT INTO hl7_message (id, direction, raw, sha256, status, received_at)"
            " SELECT %s, 'in', '', '', 'received', received_at - interval '1 hour' FROM hl7_message LIMIT 1",
            (new_id(),),
        )
    found = told(counted)
    assert found['suture_hl7_messages{direction="in",outcome="applied"}'] == 1
    assert found['suture_hl7_messages{direction="in",outcome="duplicate"}'] == 1
    assert found['suture_hl7_messages{direction="in",outcome="rejected"}'] == 1
    assert found['suture_hl7_messages{direction="in",outcome="waiting"}'] == 1
    assert found['suture_hl7_replays{outcome="applied"}'] == 1
    assert found["suture_hl7_oldest_waiting_seconds"] >= 3600


def test_a_count_is_good_for_a_while_and_left_out_where_there_is_none(
    clean: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = Records(clean, now, new_id)
    counted = Counted(records)
    first = counted.text()
    Receiver(records).receive(order("m2", "A2"), "")
    assert counted.text() == first != b""
    monkeypatch.setattr(metrics, "FRESH_SECONDS", 0.0)
    fresh = Counted(records)
    assert fresh.text() != first
    with renamed(clean, "hl7_message"):
        assert fresh.text() == b""
