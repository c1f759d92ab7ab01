"""What an acknowledgement tells of orders and results that could not be applied: ERR-8 and MSA-3.

HL7 v2.5.1, sections 2.15.5 and 2.15.8:
https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from tests.wire.conftest import Running
from tests.wire.messages import FAMILY, acknowledgement, conditions, msa, order, result


def texts(answer: bytes) -> list[str]:
    """MSA-3, and ERR-8 of each error."""
    found = acknowledgement(answer)
    return [found.all("MSA")[0].field(3).text, *(error.field(8).text for error in found.all("ERR"))]


def changed(control_id: str, control: str) -> bytes:
    return order(control_id, "A1").replace(b"|NW|", f"|{control}|".encode())


def test_a_request_that_the_workflow_refuses_tells_why(listener: Running) -> None:
    answers = listener.send(order("m1", "A1"), result("m2", "A1"), changed("m3", "CA"), changed("m4", "HD"))
    assert [msa(answer)[0] for answer in answers] == ["AA", "AA", "AE", "AE"]
    assert conditions(answers[2]) == [("207", "E")]
    assert texts(answers[2]) == ["The order does not go from reported to cancelled"] * 2
    assert texts(answers[3]) == ["The order is done and cannot be put on hold or released"] * 2


def test_a_result_of_a_cancelled_order_is_accepted_with_a_warning(listener: Running) -> None:
    answers = listener.send(order("m1", "A1"), changed("m2", "CA"), result("m3", "A1"))
    assert [msa(answer)[0] for answer in answers] == ["AA"] * 3
    assert conditions(answers[2]) == [("0", "W")]
    assert "cancelled" in texts(answers[2])[1]


def test_what_is_kept_but_not_mapped_is_not_told(listener: Running) -> None:
    (answer,) = listener.send(order("m1", "A1") + b"ZZZ|1|whatever\r")
    assert (msa(answer)[0], conditions(answer)) == ("AA", [])


def test_a_late_result_is_accepted_with_a_warning(listener: Running) -> None:
    late = result("m2", "A1").replace(b"|||F\r", b"|||P\r")
    answers = listener.send(result("m1", "A1"), late)
    assert conditions(answers[1]) == [("0", "W")]
    assert FAMILY.encode() not in answers[1]
