"""Orders and results of patients who do not exist, as senders put them, and looks at what came of them.

HL7 v2.5.1, chapters 4 and 7: https://www.hl7.org/implement/standards/product_brief.cfm?product_id=185
"""

from __future__ import annotations

from typing import Any

from mappings.er7 import Message, read
from storage.session import Store

FAMILY = "Quillfeather"
"""The family name of every patient here: a log in which it stands holds patient data."""


def header(control_id: str, kind: str = "ORM^O01", processing_id: str = "P", version: str = "2.5.1") -> str:
    """MSH."""
    return f"MSH|^~\\&|EHR|CITY|SUTURE|OR|20260110083000||{kind}|{control_id}|{processing_id}|{version}"


def order(control_id: str, number: str, patient: str = "4711", **changed: str) -> bytes:
    """ORM^O01: a new order under a placer's number."""
    return message(
        header(control_id, **changed),
        f"PID|1||{patient}^^^CITY^MR||{FAMILY}^Ann||19700101|F",
        f"ORC|NW|{number}^EHR|||||||20260110082500",
        f"OBR|1|{number}^EHR||71020^Chest X-ray^C4||||||||||||||||||||||^^^^^R",
    )


def result(control_id: str, number: str, patient: str = "4711", value: str = "13.2", size: int = 0) -> bytes:
    """ORU^R01: a final result of an order, with a note of `size` characters."""
    note = (f"NTE|1|L|{'x' * size}",) if size else ()
    return message(
        header(control_id, "ORU^R01"),
        f"PID|1||{patient}^^^CITY^MR||{FAMILY}^Ann||19700101|F",
        f"ORC|RE|{number}^EHR|F{number}^LAB",
        f"OBR|1|{number}^EHR|F{number}^LAB|718-7^Hemoglobin^LN|||20260110090000|||||||||||||||20260110093000|||F",
        f"OBX|1|NM|718-7^Hemoglobin^LN||{value}|g/dL^^UCUM|12-16||||F",
        *note,
    )


def message(*segments: str) -> bytes:
    """Segments with CR after each."""
    return "".join(f"{segment}\r" for segment in segments).encode()


def msa(answer: bytes) -> tuple[str, str]:
    """MSA-1 and MSA-2 of an acknowledgement."""
    segment = acknowledgement(answer).first("MSA")
    assert segment is not None
    return segment.field(1).text, segment.field(2).raw


def conditions(answer: bytes) -> list[tuple[str, str]]:
    """ERR-3 and ERR-4 of each error or warning of an acknowledgement."""
    return [
        (segment.field(3).first.component(1), segment.field(4).text)
        for segment in acknowledgement(answer).segments
        if segment.name == "ERR"
    ]


def acknowledgement(answer: bytes) -> Message:
    found = read(answer)
    assert found.message_code == "ACK"
    return found


def journal(store: Store) -> list[dict[str, Any]]:
    """The journal's rows in the order in which they came."""
    return rows(store, "SELECT * FROM hl7_message ORDER BY received_at, id")


def states(store: Store) -> list[str]:
    """The states of the journal's rows in the order in which they came."""
    return [row["status"] for row in journal(store)]


def orders(store: Store) -> dict[str, int]:
    """How many live orders there are of each placer's number."""
    found = rows(
        store,
        "SELECT i.value, count(*) AS n FROM identifier i JOIN service_order o ON o.id = i.owner_id"
        " JOIN resource r ON r.id = o.id WHERE r.deleted_at IS NULL"
        " AND i.system LIKE '%EHR' GROUP BY i.value",
    )
    return {row["value"]: row["n"] for row in found}


def rows(store: Store, statement: str) -> list[dict[str, Any]]:
    """What a statement finds."""
    with store.connection() as connection:
        cursor = connection.execute(statement.encode())
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
