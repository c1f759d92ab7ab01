"""What belongs to a research case and repeats: follow-ups, outcome scores, implants and complications."""

from __future__ import annotations

from storage.model.columns import Index, Link, Table, index
from storage.model.research.registry import (
    CaseKind,
    Column,
    boolean,
    build_table,
    column,
    columns,
    day,
    enum,
    integer,
    listed,
    q,
    text,
)
from storage.model.resource import Detail

TIMEPOINT = enum("preop", "wk2", "wk6", "mo3", "mo6", "yr1", "yr2", "yr5", "yr10", "other")
ONCE = "timepoint <> 'other'"
"""A case has one row per timepoint, but any number at other times."""


class Member(Detail):
    """A member of a case; ``case`` is NULL until one claims it. Its header is the observation."""

    case = Link("observation")


class Score(Member):
    """A member that may belong to a follow-up."""

    followup = Link("rc_followup")


def member(
    path: str, code: str, *lines: Column, base: type[Table] = Member, indexes: tuple[Index, ...]
) -> CaseKind:
    """Declare a kind of member and its table."""
    name = f"rc_{path}"
    return CaseKind(name, path, code, lines, build_table(base, name, lines, indexes))


FOLLOWUP = member(
    "followup",
    "follow-up",
    column("timepoint", TIMEPOINT, required=True),
    column("followup_date", day, header=True),
    *columns(
        q("deg"),
        "flexion_deg",
        "extension_deg",
        "abduction_deg",
        "external_rotation_deg",
        "internal_rotation_deg",
    ),
    column(
        "internal_rotation_level",
        enum(
            "thigh",
            "buttock",
            "sacrum",
            "L5",
            "L4",
            "L3",
            "L2",
            "L1",
            "T12",
            "T11",
            "T10",
            "T9",
            "T8",
            "T7",
        ),
    ),
    column("strength_grade", integer(0, 5)),
    column("weight_bearing", enum("none", "toe_touch", "partial", "as_tolerated", "full")),
    column("ambulation_aid", enum("none", "cane", "crutches", "walker", "wheelchair")),
    column("satisfaction", integer(0, 10)),
    *columns(boolean, "returned_to_work", "returned_to_sport", "radiolucency"),
    column("loosening", enum("none", "possible", "probable", "definite")),
    column("subsidence_mm", q("mm")),
    *columns(integer(0, 4), "heterotopic_ossification", "notching"),
    column("retear", boolean),
    column("healing_sugaya", integer(1, 5)),
    column("imaging_text", text),
    column("notes", text, header=True),
    indexes=(
        index("case_id", "timepoint"),
        index("case_id", "timepoint", unique=True, where=ONCE),
    ),
)

OUTCOME = member(
    "outcome",
    "outcome",
    column("instrument", listed("ref_outcome_instrument.code"), required=True, header=True),
    column("timepoint", TIMEPOINT),
    column("score_date", day, header=True),
    column("score", q("{score}"), required=True, header=True),
    column("reporter", enum("patient", "clinician", "proxy")),
    column("complete", boolean),
    base=Score,
    indexes=(
        index("case_id", "timepoint"),
        index("case_id", "instrument", "timepoint", unique=True, where=ONCE),
        index("followup_id"),
        index("instrument"),
    ),
)

IMPLANT = member(
    "implant",
    "implant",
    column(
        "role",
        enum(
            "cup",
            "liner",
            "head",
            "stem",
            "femoral",
            "tibial",
            "insert",
            "patella",
            "glenoid",
            "glenosphere",
            "baseplate",
            "humeral",
            "anchor",
            "screw",
            "plate",
            "graft",
            "mesh",
            "other",
        ),
    ),
    *columns(
        text,
        "manufacturer",
        "model",
        "catalog_no",
        "lot_no",
        "serial_no",
        "udi_di",
        "udi_carrier",
        "size_text",
    ),
    column("quantity", integer()),
    indexes=(index("case_id"),),
)

COMPLICATION = member(
    "complication",
    "complication",
    column(
        "kind",
        enum(
            "superficial_infection",
            "periprosthetic_infection",
            "dvt",
            "pe",
            "nerve_injury",
            "vascular_injury",
            "dislocation",
            "fracture",
            "loosening",
            "stiffness",
            "retear",
            "recurrent_instability",
            "hardware_failure",
            "hematoma",
            "wound_dehiscence",
            "cardiac",
            "pulmonary",
            "renal",
            "death",
            "other",
        ),
    ),
    column("onset", day, header=True),
    column("clavien_dindo", enum("I", "II", "IIIa", "IIIb", "IVa", "IVb", "V")),
    column("treatment", text),
    column("resolved", boolean),
    indexes=(index("case_id"),),
)
