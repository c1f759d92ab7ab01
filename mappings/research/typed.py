"""Typed observations as they are read and rendered: the hooks of the mapping of Observation.

https://hl7.org/fhir/R4/observation.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mappings.draw import draw_lines
from mappings.element import Refused
from mappings.observation_lines import LINES
from mappings.remainder import same
from mappings.research.arterial import SHOWN, check_measure
from mappings.research.arterial_columns import ARTERIAL
from mappings.research.codes import ALL, OUTCOME, routed
from mappings.research.components import read_components, write_components
from mappings.research.elements import HEADERS, Shown
from mappings.research.instruments import INSTRUMENTS
from mappings.research.links import link, linked
from mappings.research.values import held, hold
from storage.model.research import KINDS

if TYPE_CHECKING:
    from storage.model.columns import Row
    from storage.model.research import CaseKind
    from storage.record import Record

_ROUTING = tuple(line for line in LINES if line.element in ("code", "value"))
"""The elements by which an observation is known to be a typed one."""

FINISHED = ("final", "amended", "corrected")
"""Statuses in which a case is complete, so that its side must be known."""


def kind_of(record: Record) -> CaseKind | None:
    """Return the kind of a typed observation; None for an ordinary one."""
    return next((ALL[name] for name in record.details if name in ALL), None)


def detail_of(record: Record, kind: CaseKind) -> Row:
    """Return the detail row."""
    return record.details[kind.name]


def shown(kind: CaseKind) -> tuple[Shown, ...]:
    """Return how the header columns of a kind are shown."""
    if kind is ARTERIAL:
        return SHOWN
    return tuple(HEADERS[column.name] for column in kind.columns if column.header)


def read_in(record: Record) -> None:
    """Fill the typed columns of an observation that was read (``Mapping.read_in``).

    Raises Refused for values that a column cannot hold, and for what a typed observation must have.
    """
    kind = kind_of(record)
    record.main["detail"] = kind.name if kind else "none"
    if kind is None:
        return
    detail = detail_of(record, kind)
    for element in shown(kind):
        for name, value in zip(element.columns, element.read(record), strict=True):
            hold(detail, kind.by_name[name], value)
    read_components(record, kind, detail)
    link(record, detail)
    check(record, kind, expressions(kind))


def project(record: Record) -> None:
    """Make an observation say what its typed columns say (``Mapping.project``)."""
    kind = kind_of(record)
    record.main["detail"] = kind.name if kind else "none"
    if kind is None:
        return
    detail = detail_of(record, kind)
    for element in shown(kind):
        if not _says(record, element, tuple(detail[name] for name in element.columns)):
            element.write(record, detail)
    write_components(record, kind, detail)
    link(record, detail)


def _says(record: Record, element: Shown, wanted: tuple[Any, ...]) -> bool:
    try:
        return same(list(element.read(record)), list(wanted))
    except Refused:
        return False


def adopt(record: Record) -> None:
    """Give an observation the typed row that its code asks for, and fill it from what the observation says.

    For observations that were not read from FHIR but filled element by element (from HL7v2), after each such
    change and before ``project``, which otherwise would put the columns' values back. Raises Refused.
    """
    drawn: dict[str, Any] = {}
    draw_lines(record, record.main, None, "", _ROUTING, drawn)
    kind, before = routed(drawn), kind_of(record)
    if before is not None and before is not kind:
        del record.details[before.name]
    if kind is not None:
        row = record.details.setdefault(kind.name, {**kind.table.blank(), "id": record.resource["id"]})
        for column in kind.columns:
            hold(row, column, None)
    read_in(record)


def expressions(kind: CaseKind) -> dict[str, str]:
    """Return where each column of a kind stands in an Observation, for whoever is refused."""
    places = {
        "encounter_id": "Observation.encounter",
        "instrument": "Observation.code",
        "kind": "Observation.code",
        "segment": "Observation.bodySite",
        "score": "Observation.value",
        "measure_value": "Observation.value",
        "measure_class": "Observation.value",
    }
    return {**{column.name: "Observation.component" for column in kind.columns}, **places}


def check(record: Record, kind: CaseKind, where: dict[str, str]) -> None:
    """Check what a typed observation must have; ``where`` names each column to whoever is refused.

    An encounter, the required columns, a side once it is final, a score within its instrument's range. That
    the encounter is the patient's is for ``gates.check_encounter``. Raises Refused.
    """
    detail = detail_of(record, kind)
    if kind.name in KINDS and "encounter_id" not in dict(linked(record, detail)):
        raise Refused("required", where["encounter_id"], None, "a reference to an Encounter of this server")
    for column in kind.columns:
        if column.required and held(detail, column) is None:
            raise Refused("required", where[column.name], None, column.name)
    if kind.name in KINDS and record.main["status"] in FINISHED and detail["side"] is None:
        raise Refused("required", where["side"], None, "the side, once the case is final")
    if kind is OUTCOME:
        _check_score(detail, where)
    if kind is ARTERIAL:
        check_measure(detail, where)


def _check_score(detail: Row, where: dict[str, str]) -> None:
    instrument = INSTRUMENTS.get(detail["instrument"])
    if instrument is None:
        raise Refused("code-invalid", where["instrument"], detail["instrument"], ", ".join(INSTRUMENTS))
    if not instrument.low <= detail["score"] <= instrument.high:
        raise Refused("value", where["score"], detail["score"], f"{instrument.low} to {instrument.high}")
