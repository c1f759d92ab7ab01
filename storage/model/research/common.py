"""What all eight kinds of research case have, and value lists that several of them share."""

from __future__ import annotations

from dataclasses import replace

from storage.model.columns import Link
from storage.model.research.registry import (
    CaseKind,
    Column,
    Kind,
    boolean,
    build_table,
    column,
    columns,
    common,
    day,
    enum,
    indexes_of_case,
    integer,
    q,
    text,
)
from storage.model.resource import Detail

BICEPS = enum("none", "tenotomy", "tenodesis_suprapectoral", "tenodesis_subpectoral", "debridement")
ANCHOR_MATERIAL = enum("peek", "biocomposite", "all_suture", "metal")
SHOULDER_POSITION = enum("beach_chair", "lateral_decubitus")
OUTERBRIDGE = integer(0, 4)
CLOCK = integer(1, 12)

SIDE = column("side", enum("left", "right"))
SIDE_OF_ANYTHING = column("side", enum("left", "right", "bilateral", "not_applicable"))

COMMON = common(
    (
        column("surgery_date", day, header=True),
        SIDE,
        column("case_type", enum("primary", "revision", "conversion")),
        column("trainee_role", enum("observed", "assisted", "performed_supervised", "performed_independent")),
        column("trainee_pgy", integer(1, 10)),
        column("asa_class", integer(1, 6)),
        column(
            "anesthesia",
            enum(
                "general",
                "spinal",
                "epidural",
                "regional_block",
                "general_block",
                "spinal_block",
                "mac",
                "local",
            ),
        ),
        column("bmi_at_surgery", q("kg/m2"), loinc="39156-5"),
        column("smoking", enum("never", "former", "current", "unknown")),
        *columns(boolean, "diabetes", "antibiotic_prophylaxis"),
        column("vte_prophylaxis", enum("none", "mechanical", "aspirin", "lmwh", "doac", "warfarin", "other")),
        column("tranexamic_acid", boolean),
        column("operative_minutes", q("min", 0)),
        column("blood_loss_ml", q("mL", 0)),
        column("intraop_complication", boolean),
        column("intraop_complication_text", text),
        column("los_days", q("d")),
        column("discharge_to", enum("home", "home_health", "rehab", "snf", "other")),
        *columns(boolean, "readmitted_30d", "readmitted_90d", "reoperated"),
        column("reoperation_date", day),
        column("reoperation_reason", text),
        column("followup_status", enum("active", "complete", "lost", "withdrawn", "deceased")),
        column("last_followup_date", day),
        column("registry_id", Kind("text", high=64), unique=True, header=True),
        column("notes", text, header=True),
    )
)


class Case(Detail):
    """One case: the encounter, the procedure, who operated and who learnt; its header is the observation."""

    encounter = Link("encounter", required=True)
    procedure = Link("procedure")
    surgeon = Link("practitioner")
    trainee = Link("practitioner")


def case(path: str, code: str, site: str | None, *lines: Column, side: Column = SIDE) -> CaseKind:
    """Declare a kind of case and its table; ``side`` replaces the common one where there are more sides."""
    shared = tuple(replace(side, common=True) if line.name == "side" else line for line in COMMON)
    name = f"rc_{path}"
    everything = (*shared, *lines)
    table = build_table(Case, name, everything, indexes_of_case())
    return CaseKind(name, path, code, everything, table, site)
