"""Elements of an observation outside its components that stand for a typed column.

https://hl7.org/fhir/R4/observation.html

Each ``Shown`` reads its columns off the observation and writes them into it; what already says the same is
left as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mappings import convert
from mappings.concepts import LOINC
from mappings.convert import At
from mappings.element import Refused, index_lines, sid
from mappings.observation_lines import LINES
from mappings.research.codes import CASE, INSTRUMENT, OUTCOME, codings
from mappings.research.components import fresh_ids
from mappings.research.instruments import BY_LOINC, INSTRUMENTS
from mappings.research.values import Ordinary, quantity, quantity_in

if TYPE_CHECKING:
    from mappings.element import Value
    from storage.model.columns import Row
    from storage.record import Record

BY_ELEMENT = index_lines(LINES)
REGISTRY_ID = sid("research-case")


def top(record: Record) -> At:
    """Return the place of an observation's own elements."""
    return At(record, record.main, record.resource, None, "", "", "Observation", fresh_ids(record))


def get(record: Record, element: str) -> Value:
    """Return an element of an observation, None where it is not there."""
    return convert.element(top(record), BY_ELEMENT[element])


def items(record: Record, element: str) -> list[dict[str, Any]]:
    """Return an array of an observation, empty where it is not there."""
    return get(record, element) or []


def branch(record: Record, element: str) -> dict[str, Value]:
    """Return a choice of an observation as ``{key: value}``, empty where it is not there."""
    return get(record, element) or {}


def put(record: Record, element: str, value: Value) -> None:
    """Set an element (of a choice: the branch that is named); None clears it."""
    convert.replace_element(top(record), BY_ELEMENT[element], element, value)


@dataclass(frozen=True)
class Shown:
    """Columns that an element shows: ``read`` gives a value per column, ``write`` sets it by the row."""

    columns: tuple[str, ...]
    read: Callable[[Record], tuple[Any, ...]]
    write: Callable[[Record, Row], None]


def effective(column: str) -> Shown:
    """A date shown as effective[x]: a dateTime, or where a Period came its start."""

    def write(record: Record, detail: Row) -> None:
        put(record, "effectiveDateTime", detail[column])

    return Shown((column,), _effective, write)


def _effective(record: Record) -> tuple[Any, ...]:
    found = branch(record, "effectiveDateTime")
    period = found.get("effectivePeriod", {})
    return (found.get("effectiveDateTime") or found.get("effectiveInstant") or period.get("start"),)


def _notes(record: Record) -> tuple[Any, ...]:
    texts = [note["text"] for note in items(record, "note") if "text" in note]
    return ("\n".join(texts) or None,)


def _write_notes(record: Record, detail: Row) -> None:
    notes, text = items(record, "note"), detail["notes"]
    kept = notes[0] if len(notes) == 1 else {}
    put(record, "note", [{**kept, "text": text}] if text else None)


def _registry_id(record: Record) -> tuple[Any, ...]:
    found = items(record, "identifier")
    return (next((item.get("value") for item in found if item.get("system") == REGISTRY_ID), None),)


def _write_registry_id(record: Record, detail: Row) -> None:
    value, found = detail["registry_id"], items(record, "identifier")
    made = [{"system": REGISTRY_ID, "value": value}] if value else []
    others = [item for item in found if item.get("system") != REGISTRY_ID]
    put(record, "identifier", [*made, *others] or None)


def instrument_of(code: Value) -> str | None:
    """Return the instrument that an outcome's code names, by our own code or its LOINC code."""
    for coding in codings(code):
        if coding.get("system") == INSTRUMENT:
            return coding.get("code")
    loinc = (BY_LOINC.get(c.get("code", "")) for c in codings(code) if c.get("system") == LOINC)
    return next((found.code for found in loinc if found), None)


def outcome_code(instrument: str) -> dict[str, Any]:
    """Return the code of an outcome: that it is one, the instrument, its LOINC code where it has one."""
    known = INSTRUMENTS.get(instrument)
    made = [{"system": CASE, "code": OUTCOME.code}, {"system": INSTRUMENT, "code": instrument}]
    if known and known.loinc:
        made.append({"system": LOINC, "code": known.loinc})
    return {"coding": made}


def _instrument(record: Record) -> tuple[Any, ...]:
    return (instrument_of(get(record, "code")),)


def _write_instrument(record: Record, detail: Row) -> None:
    put(record, "code", outcome_code(detail["instrument"]))


def _score(record: Record) -> tuple[Any, ...]:
    found = branch(record, "valueQuantity")
    if not found:
        return (None,)
    if "valueQuantity" not in found:
        raise Refused("code-invalid", "Observation.value", next(iter(found)), "valueQuantity")
    try:
        return (quantity_in(found["valueQuantity"], "{score}", "Observation.value"),)
    except Ordinary:
        return (None,)


def _write_score(record: Record, detail: Row) -> None:
    put(record, "valueQuantity", quantity(detail["score"], "{score}"))


HEADERS: dict[str, Shown] = {
    **{name: effective(name) for name in ("surgery_date", "followup_date", "score_date", "onset")},
    "notes": Shown(("notes",), _notes, _write_notes),
    "registry_id": Shown(("registry_id",), _registry_id, _write_registry_id),
    "instrument": Shown(("instrument",), _instrument, _write_instrument),
    "score": Shown(("score",), _score, _write_score),
}
"""How each header column of cases and members is shown."""
