"""How columns of the research registry are read, compared and sorted in SQL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from storage.model.research import CaseKind

How = Literal["is", "has", "low", "high"]


class Between(NamedTuple):
    """The instants between which a date lies: from the first, before the last."""

    first: datetime
    last: datetime


class Test(NamedTuple):
    """A condition on a case: a column (or ``status``, ``patient_id``, ``created_at``, ...), how it is
    compared (equal; of a list: has it; not below, not above) and with what.

    A date is compared with instants: ``is`` takes the bounds that it lies between, ``low`` the first instant,
    ``high`` the first one after the last.
    """

    column: str
    how: How
    value: Any


PLACES = {
    "id": "r.fhir_id",
    "status": "o.status",
    "created_at": "r.created_at",
    "updated_at": "r.last_updated",
}
REFERENCES = {
    "patient_id": ("o.patient_id", "Patient"),
    "encounter_id": ("o.encounter_id", "Encounter"),
    "procedure_id": ("c.procedure_id", "Procedure"),
    "surgeon_id": ("c.surgeon_id", "Practitioner"),
    "trainee_id": ("c.trainee_id", "Practitioner"),
    "case_id": ("c.case_id", "Observation"),
    "followup_id": ("c.followup_id", "Observation"),
}
"""What a row refers to: its key, and what type it is of."""

_PLAIN = {"is": "{0} = %({1})s", "low": "{0} >= %({1})s", "high": "{0} <= %({1})s"}
_INSTANT = _PLAIN | {"high": "{0} < %({1})s"}
_DATE = {
    "is": '(c."{0}_lo" >= %({1}_lo)s AND c."{0}_hi" <= %({1}_hi)s)',
    # A partial date is found wherever it may lie within.
    "low": 'c."{0}_hi" > %({1})s',
    "high": 'c."{0}_lo" < %({1})s',
}
_HAS: dict[str, str] = {
    "set": "CAST({0} AS jsonb) @> to_jsonb(CAST(%({1})s AS text))",
    "attributes": "CAST({0} AS jsonb) @> jsonb_build_array(jsonb_build_object('code', "
    "CAST(%({1})s AS text)))",
}

SCORED = b"""SELECT c.case_id, c.instrument, c.timepoint, c.score, c.score_date FROM rc_outcome c
    JOIN resource r ON r.id = c.id JOIN observation o ON o.id = c.id
    WHERE c.case_id = ANY(%s) AND r.deleted_at IS NULL
    AND o.status NOT IN ('cancelled', 'entered-in-error')
    ORDER BY c.case_id, c.score_date_lo NULLS LAST, c.id"""
"""The scores of cases that count."""


def source(kind: CaseKind) -> str:
    """Return where cases or members come from: their rows ``c``, observations ``o``, resources ``r``."""
    return f'FROM "{kind.name}" c JOIN observation o ON o.id = c.id JOIN resource r ON r.id = c.id'


def target(name: str) -> str:
    """Return what is shown of a row's head: a place, or the FHIR id of what it refers to."""
    if name in PLACES:
        return PLACES[name]
    return f"(SELECT x.fhir_id FROM resource x WHERE x.id = {REFERENCES[name][0]})"


def conditions(kind: CaseKind, tests: Sequence[Test]) -> tuple[str, dict[str, Any]]:
    """Return the condition that live cases meet all tests, and its values by name."""
    parts, asked = ["r.deleted_at IS NULL"], dict[str, Any]()
    for place, test in enumerate(tests):
        name = f"v{place}"
        parts.append(_condition(kind, test).format(_place(kind, test.column), name))
        if isinstance(test.value, Between):
            asked[f"{name}_lo"], asked[f"{name}_hi"] = test.value
        else:
            asked[name] = test.value
    return " AND ".join(parts), asked


def _place(kind: CaseKind, name: str) -> str:
    if name in PLACES:
        return PLACES[name]
    if name in REFERENCES:
        return REFERENCES[name][0]
    return name if kind.by_name[name].kind == "date" else f'c."{name}"'


def _condition(kind: CaseKind, test: Test) -> str:
    name = test.column
    if name in REFERENCES:
        kept = REFERENCES[name][1]
        return (
            f"{{0}} IN (SELECT x.id FROM resource x WHERE x.resource_type = '{kept}'"
            " AND x.fhir_id = %({1})s)"
        )
    if name in PLACES:
        return _INSTANT[test.how]
    held = kind.by_name[name].kind
    if test.how == "has":
        return _HAS[held]
    return (_DATE if held == "date" else _PLAIN)[test.how]


_SORTED: dict[str, Callable[[str], str]] = {
    "date": lambda name: f'c."{name}_lo"',
    "set": lambda name: f'CAST(c."{name}" AS text)',
    "attributes": lambda name: f'CAST(c."{name}" AS text)',
}


def order(kind: CaseKind, name: str) -> str:
    """Return by what a list is sorted that is sorted by a column."""
    if name in PLACES or name in REFERENCES:
        return target(name)
    return _SORTED.get(kind.by_name[name].kind, 'c."{}"'.format)(name)
