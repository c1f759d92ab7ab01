"""Research cases of any other kind; ``attributes`` is the one open end, by intent."""

from __future__ import annotations

from storage.model.research.common import SIDE_OF_ANYTHING, case
from storage.model.research.registry import attributes, boolean, column, columns, enum, text

OTHER = case(
    "other",
    "other-case",
    None,
    column(
        "specialty",
        enum(
            "trauma",
            "spine",
            "hand",
            "elbow",
            "foot_ankle",
            "sports",
            "oncology",
            "pediatric",
            "vascular",
            "general",
            "other",
        ),
    ),
    column("procedure_name", text, required=True),
    *columns(
        text,
        "cpt_code",
        "region",
        "indication",
        "approach",
        "findings",
        "procedure_performed",
        "classification_system",
        "classification_value",
        "fixation_type",
    ),
    column("reduction_quality", enum("anatomic", "acceptable", "poor", "not_applicable")),
    *columns(boolean, "bone_graft", "implant_used"),
    *columns(text, "implant_manufacturer", "implant_description"),
    column("attributes", attributes),
    side=SIDE_OF_ANYTHING,
)
