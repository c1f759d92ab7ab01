"""Observation.

https://hl7.org/fhir/R4/observation.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mappings import research
from mappings.element import Composite, Mapping
from mappings.observation_lines import LINES
from mappings.research.codes import ALL
from storage.model.observation import Observation

if TYPE_CHECKING:
    from storage.record import Record

COMPONENT = ("component",)
BOTH = ("", "component")


def tell_computed(record: Record) -> None:
    """Say that an observation was not computed, where nobody said that it was."""
    record.main["is_computed"] = bool(record.main["is_computed"])


OBSERVATION = Mapping(
    type="Observation",
    table=Observation,
    lines=LINES,
    details=research.details,
    detail_tables=tuple(kind.table for kind in ALL.values()),
    read_in=(research.read_in,),
    project=(research.project, tell_computed),
    kept_columns=research.KEPT,
    composites=(
        Composite("code-value-concept", ("code", "value-concept")),
        Composite("code-value-date", ("code", "value-date")),
        Composite("code-value-quantity", ("code", "value-quantity")),
        Composite("code-value-string", ("code", "value-string")),
        Composite("combo-code-value-concept", ("combo-code", "combo-value-concept"), BOTH),
        Composite("combo-code-value-quantity", ("combo-code", "combo-value-quantity"), BOTH),
        Composite("component-code-value-concept", ("component-code", "component-value-concept"), COMPONENT),
        Composite("component-code-value-quantity", ("component-code", "component-value-quantity"), COMPONENT),
    ),
)
