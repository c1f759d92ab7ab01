"""The columns of an arterial finding, told as those of research cases are.

https://hl7.org/fhir/R4/observation.html
"""

from __future__ import annotations

from storage.model.columns import Code
from storage.model.procedure import ArterialFinding
from storage.model.research import CaseKind, Column
from storage.model.research.registry import Kind, column, enum, integer, q

_table = ArterialFinding


def _listed(name: str, group: Code, *, header: bool = False) -> Column:
    return column(name, enum(*group.values), header=header)


ARTERIAL = CaseKind(
    "arterial_finding",
    "arterialfindings",
    "arterial-finding",
    (
        column("kind", enum("segment", "index"), required=True, header=True),
        _listed("side", _table.side, header=True),
        _listed("segment", _table.segment, header=True),
        _listed("finding", _table.finding, header=True),
        # A whole number of per cent: a quantity over FHIR.
        column("stenosis_pct", Kind("integer", unit="%", low=0, high=100)),
        column("length_mm", q("mm")),
        column("diameter_mm", q("mm")),
        column("psv_cm_s", q("cm/s")),
        _listed("calcification", _table.calcification),
        column("runoff_vessels", integer(0, 3)),
        _listed("source_modality", _table.source_modality),
        _listed("measure", _table.measure, header=True),
        column("measure_value", Kind("quantity"), header=True),
        column("measure_class", Kind("text", high=8), header=True),
    ),
    _table,
)
"""An artery's segment, or an index or class of a limb."""

MEASURED = {"abi": "{ratio}", "tbi": "{ratio}", "tcpo2": "mm[Hg]", "toe_pressure": "mm[Hg]"}
"""Measures that are a number, and its unit."""
_GRADES = ("0", "1", "2", "3")
CLASSES = {
    "rutherford": ("0", "1", "2", "3", "4", "5", "6"),
    "fontaine": ("I", "IIa", "IIb", "II", "III", "IV"),
    "tasc": ("A", "B", "C", "D"),
    "wifi_wound": _GRADES,
    "wifi_ischemia": _GRADES,
    "wifi_infection": _GRADES,
}
"""Measures that are a class, and the classes."""
