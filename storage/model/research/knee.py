"""Research cases of the knee."""

from __future__ import annotations

from storage.model.research.common import case
from storage.model.research.registry import boolean, column, columns, enum, integer, members, q, text

KNEE = "49076000"
AORI = enum("1", "2A", "2B", "3")
MENISCUS = enum(
    "intact",
    "vertical",
    "bucket_handle",
    "radial",
    "horizontal",
    "flap",
    "complex",
    "root",
    "ramp",
    "degenerative",
    "discoid",
    "absent",
)
ZONE = enum("red_red", "red_white", "white_white")
MENISCUS_TREATMENT = enum(
    "none",
    "rasping",
    "partial_meniscectomy",
    "subtotal_meniscectomy",
    "repair_all_inside",
    "repair_inside_out",
    "repair_outside_in",
    "root_repair",
    "saucerization",
    "transplant",
)
CRUCIATE = enum("intact", "partial_tear", "complete_tear", "graft_intact", "graft_torn", "absent")

ARTHROPLASTY = case(
    "kneearthroplasty",
    "knee-arthroplasty",
    KNEE,
    column(
        "indication",
        enum(
            "osteoarthritis",
            "inflammatory_arthritis",
            "post_traumatic",
            "osteonecrosis",
            "tumor",
            "failed_arthroplasty",
            "infection",
            "other",
        ),
    ),
    column(
        "arthroplasty_kind",
        enum(
            "total",
            "unicompartmental_medial",
            "unicompartmental_lateral",
            "patellofemoral",
            "bicompartmental",
        ),
    ),
    column(
        "approach",
        enum(
            "medial_parapatellar",
            "midvastus",
            "subvastus",
            "lateral_parapatellar",
            "quadriceps_snip",
            "tubercle_osteotomy",
            "minimally_invasive",
        ),
    ),
    *columns(text, "implant_manufacturer", "implant_model"),
    column("implant_type", enum("fixed_bearing", "mobile_bearing", "all_polyethylene_tibia")),
    column(
        "constraint_type",
        enum(
            "cruciate_retaining",
            "posterior_stabilized",
            "cruciate_substituting",
            "medial_pivot",
            "bicruciate_retaining",
            "varus_valgus_constrained",
            "rotating_hinge",
        ),
    ),
    column("alignment", enum("mechanical", "kinematic", "restricted_kinematic", "functional", "anatomic")),
    # Hip-knee-ankle angle: 180 is neutral, less is varus.
    *columns(q("deg"), "preop_hka_deg", "postop_hka_deg", "tibial_slope_deg", "femoral_rotation_deg"),
    column("deformity", enum("varus", "valgus", "neutral")),
    column("fixation", enum("cemented", "uncemented", "hybrid")),
    *columns(text, "femoral_size", "tibial_size"),
    column("insert_thickness_mm", q("mm", 5, 30)),
    column("insert_material", enum("uhmwpe", "hxlpe", "vite_hxlpe")),
    column("patella_resurfaced", boolean),
    column("patella_size_mm", q("mm")),
    *columns(boolean, "femoral_stem", "tibial_stem", "augments"),
    *columns(AORI, "aori_femur", "aori_tibia"),
    column("pcl_management", enum("retained", "resected", "absent")),
    column(
        "releases",
        members(
            "mcl_superficial",
            "mcl_deep",
            "posterior_capsule",
            "popliteus",
            "it_band",
            "lcl",
            "lateral_retinaculum",
        ),
    ),
    column("guidance", enum("manual", "patient_specific", "navigation", "robotic")),
    column("tourniquet_minutes", q("min")),
    column("drain", boolean),
    *columns(q("deg"), "preop_flexion_deg", "preop_flexion_contracture_deg"),
    column("kellgren_lawrence", integer(0, 4)),
)

ARTHROSCOPY = case(
    "kneescope",
    "knee-arthroscopy",
    KNEE,
    column(
        "indication",
        enum(
            "meniscal_tear",
            "acl_tear",
            "pcl_tear",
            "multiligament",
            "chondral_lesion",
            "loose_bodies",
            "patellar_instability",
            "septic_arthritis",
            "arthrofibrosis",
            "plica",
            "synovitis",
            "diagnostic",
            "other",
        ),
    ),
    *columns(MENISCUS, "medial_meniscus", "lateral_meniscus"),
    *columns(ZONE, "medial_meniscus_zone", "lateral_meniscus_zone"),
    *columns(MENISCUS_TREATMENT, "medial_meniscus_treatment", "lateral_meniscus_treatment"),
    column("meniscal_sutures", integer()),
    *columns(CRUCIATE, "acl", "pcl"),
    *columns(integer(0, 3), "mcl_grade", "lcl_grade", "lachman_grade", "pivot_shift_grade"),
    *columns(
        integer(0, 4),
        "cartilage_patella",
        "cartilage_trochlea",
        "cartilage_mfc",
        "cartilage_lfc",
        "cartilage_mtp",
        "cartilage_ltp",
    ),
    column("largest_lesion_mm2", q("mm2")),
    column("acl_reconstruction", boolean),
    column("acl_graft", enum("btb", "hamstring", "quadriceps", "allograft", "hybrid")),
    column("graft_diameter_mm", q("mm", 5, 14)),
    column("femoral_tunnel", enum("anteromedial", "transtibial", "outside_in", "all_inside")),
    column("femoral_fixation", enum("button", "interference_screw", "cross_pin", "other")),
    column("tibial_fixation", enum("interference_screw", "button", "post", "staple", "other")),
    *columns(
        boolean,
        "lateral_tenodesis",
        "pcl_reconstruction",
        "mpfl_reconstruction",
        "collateral_surgery",
        "chondroplasty",
        "microfracture",
        "osteochondral_graft",
        "cell_based_repair",
        "loose_body_removal",
        "synovectomy",
        "lysis_of_adhesions",
        "lateral_release",
    ),
    column("tourniquet_minutes", q("min")),
)
