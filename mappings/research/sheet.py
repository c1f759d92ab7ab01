"""Research cases as rows: what a list shows of them, and the columns of a sheet with a row for each case.

https://hl7.org/fhir/R4/observation.html

In a sheet the scores of a case stand beside it, one column for each instrument of its joint at each time
point: ``hhs_preop``, ``hhs_yr1``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mappings.research.case import json_name
from mappings.research.values import held
from storage.lexical import ENCODER
from storage.model.research import JOINTS, MEMBERS
from storage.registry import head_names

if TYPE_CHECKING:
    from storage.model.research import CaseKind
    from storage.registry import Instrument, Row, Score

Pivot = dict[tuple[str, str], int]

TIMEPOINTS = tuple(name for name in MEMBERS["rc_outcome"].by_name["timepoint"].values if name != "other")
"""When a case has one score of an instrument at most."""
OTHER = "other_outcomes"
"""The last column of a sheet: the scores that have no column, ``HHS other 2026-03-02=81;DASH yr1=12``."""


def row_values(kind: CaseKind, row: Row) -> dict[str, Any]:
    """Return the JSON values of a case or member that was read as a row, as ``case_values`` has them."""
    head = {name: row[name] for name in head_names(kind)}
    stamps = {name: head.pop(name) for name in ("created_at", "updated_at")}
    own = {json_name(kind, column): held(row, column) for column in kind.columns}
    fhir_id, status = head.pop("id"), head.pop("status")
    return {"id": fhir_id, "rc_kind": kind.path, "status": status, **head, **own, **stamps}


def scored_here(kind: CaseKind, instruments: Iterable[Instrument]) -> list[str]:
    """Return the instruments that have columns in a sheet: those of the joint, of any other kind all."""
    joint = JOINTS.get(kind.site or "")
    return [found.code for found in instruments if joint is None or joint in found.joints]


def header(kind: CaseKind, instruments: Sequence[str]) -> list[str]:
    """Return the columns of a sheet: those of the case, its scores, the other scores."""
    scores = [f"{code.lower()}_{timepoint}" for code in instruments for timepoint in TIMEPOINTS]
    names = [*head_names(kind), *(json_name(kind, column) for column in kind.columns)]
    return [*names, *scores, OTHER]


def rows(
    kind: CaseKind, instruments: Sequence[str], cases: Iterable[tuple[Row, list[Score]]]
) -> Iterator[list[Any]]:
    """Yield the row of each case, values in the order of the header."""
    places: Pivot = {}
    for code in instruments:
        for timepoint in TIMEPOINTS:
            places[code, timepoint] = len(places)
    names = [*head_names(kind), *(column.name for column in kind.columns)]
    for row, scores in cases:
        yield [*(_cell(row[name]) for name in names), *_pivoted(places, scores)]


def _cell(value: Any) -> Any:
    """Return a value as a cell: a list of attributes as JSON."""
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return ENCODER.encode(value).decode()
    return value  # pyright: ignore[reportUnknownVariableType]


def _pivoted(places: Pivot, scores: Iterable[Score]) -> list[Any]:
    cells: list[Decimal | None] = [None] * len(places)
    others: list[str] = []
    for score in scores:
        place = places.get((score.instrument, score.timepoint or ""))
        if place is None:
            told = (score.instrument, score.timepoint, score.date)
            others.append(f"{' '.join(filter(None, told))}={score.score:f}")
        else:
            cells[place] = score.score
    return [*cells, ";".join(others) or None]


__all__ = ["OTHER", "TIMEPOINTS", "header", "row_values", "rows", "scored_here"]
