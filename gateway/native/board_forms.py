"""What callers of the OR command center's interface send and get beside procedures: patients, the board's
figures.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from gateway.native.patient_forms import PatientRecord
from gateway.native.procedure_forms import Portion, Procedure


class PatientSearch(Portion, forbid_unknown_fields=True):
    """By what a list of patients is narrowed."""

    search: (
        Annotated[str, Meta(max_length=200, description="a part of the names, or of the MRN")] | UnsetType
    ) = UNSET


_ACTIVE = [("is_active", bool)]
BoardPatient: Any = msgspec.defstruct(
    "BoardPatient", _ACTIVE, bases=(PatientRecord,), kw_only=True, module=__name__
)
BoardPatientInFull: Any = msgspec.defstruct(
    "BoardPatientInFull",
    [("procedures", list[Procedure])],
    bases=(BoardPatient,),
    kw_only=True,
    module=__name__,
)


class ProcedureCounts(Struct):
    """How many procedures there are; those that never came onto the board have no readiness."""

    total: int
    by_status: dict[str, int]
    by_surgical_status: dict[str, int]


class BoardFigures(Struct):
    """How the board is, and what is on it."""

    status: str
    version: str
    procedures: ProcedureCounts
    patients: int
