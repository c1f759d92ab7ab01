"""Research cases of the hip."""

from __future__ import annotations

from storage.model.research.common import CLOCK, OUTERBRIDGE, case
from storage.model.research.registry import boolean, column, columns, enum, integer, members, q, text

HIP = "24136001"

ARTHROPLASTY = case(
    "hiparthroplasty",
    "hip-arthroplasty",
    HIP,
    column(
        "indication",
        enum(
            "osteoarthritis",
            "avascular_necrosis",
            "inflammatory_arthritis",
            "dysplasia",
            "femoral_neck_fracture",
            "post_traumatic",
            "tumor",
            "failed_arthroplasty",
            "infection",
            "other",
        ),
    ),
    column("arthroplasty_kind", enum("total", "hemi_unipolar", "hemi_bipolar", "resurfacing")),
    column(
        "approach",
        enum("anterior", "anterolateral", "lateral", "posterior", "superior", "transtrochanteric"),
    ),
    *columns(text, "implant_manufacturer", "implant_type", "cup_model", "stem_model"),
    column("cup_size", q("mm", 36, 80)),
    column("stem_size", q("{size}")),
    column("stem_offset", enum("standard", "high", "extra_high")),
    column("stem_collared", boolean),
    column(
        "stem_geometry",
        enum("single_taper", "dual_taper", "fit_and_fill", "anatomic", "modular", "cemented_polished"),
    ),
    column(
        "bearing_surface",
        enum(
            "ceramic-on-polyethylene",
            "metal-on-polyethylene",
            "ceramic-on-ceramic",
            "metal-on-metal",
            "ceramicized-metal-on-polyethylene",
            "dual-mobility",
        ),
    ),
    column("head_size_mm", q("mm", 22, 60)),
    column("head_length_mm", q("mm", -8, 16)),
    column("head_material", enum("cobalt_chrome", "ceramic", "ceramicized_metal", "stainless")),
    column("liner_material", enum("uhmwpe", "hxlpe", "vite_hxlpe", "ceramic", "metal")),
    column("liner_type", enum("neutral", "elevated", "face_changing", "constrained", "dual_mobility")),
    column("dual_mobility", boolean),
    column("fixation", enum("uncemented", "cemented", "hybrid", "reverse_hybrid")),
    column("cup_screws", integer()),
    *columns(boolean, "bone_graft", "cerclage"),
    *columns(q("deg"), "cup_inclination_deg", "cup_anteversion_deg"),
    *columns(q("mm"), "leg_length_change_mm", "offset_change_mm"),
    column("acetabular_defect", enum("I", "IIA", "IIB", "IIC", "IIIA", "IIIB")),
    column("femoral_defect", enum("I", "II", "IIIA", "IIIB", "IV")),
    column("dorr_type", enum("A", "B", "C")),
    column("tonnis_grade", integer(0, 3)),
    column("guidance", enum("manual", "fluoroscopy", "navigation", "robotic")),
    column("capsule_repaired", boolean),
    column(
        "releases", members("piriformis", "conjoint", "obturator_externus", "iliopsoas", "gluteus_maximus")
    ),
)

ARTHROSCOPY = case(
    "hipscope",
    "hip-arthroscopy",
    HIP,
    column(
        "indication",
        enum(
            "fai_cam",
            "fai_pincer",
            "fai_mixed",
            "labral_tear",
            "chondral_lesion",
            "loose_bodies",
            "borderline_dysplasia",
            "iliopsoas_impingement",
            "ligamentum_teres_tear",
            "abductor_tear",
            "synovial_disease",
            "septic_arthritis",
            "other",
        ),
    ),
    *columns(
        q("deg"),
        "alpha_angle_deg",
        "alpha_angle_post_deg",
        "lcea_deg",
        "acetabular_index_deg",
        "femoral_version_deg",
    ),
    column("tonnis_grade", integer(0, 3)),
    column("joint_space_mm", q("mm")),
    column("position", enum("supine", "lateral")),
    column("portals", members("anterolateral", "mid_anterior", "dala", "posterolateral", "proximal")),
    column("capsulotomy", enum("interportal", "t_shaped", "periportal", "none")),
    column("capsule_closure", enum("none", "partial", "complete", "plication")),
    column("traction_minutes", q("min")),
    column("labral_tear", boolean),
    column("labral_tear_type", enum("seldes_1", "seldes_2", "combined", "hypoplastic", "ossified")),
    # The clock of a right hip: 3 is anterior.
    *columns(CLOCK, "labral_tear_start_clock", "labral_tear_end_clock"),
    *columns(OUTERBRIDGE, "acetabular_cartilage_grade", "femoral_cartilage_grade"),
    column("ligamentum_teres", enum("intact", "partial_tear", "complete_tear", "hypertrophic")),
    *columns(boolean, "synovitis", "loose_bodies", "os_acetabuli"),
    column("labral_treatment", enum("none", "debridement", "repair", "augmentation", "reconstruction")),
    column("labral_anchors", integer(0, 15)),
    *columns(
        boolean,
        "femoroplasty",
        "acetabuloplasty",
        "chondroplasty",
        "microfracture",
        "loose_body_removal",
        "iliopsoas_release",
        "teres_debridement",
        "bursectomy",
        "abductor_repair",
        "subspine_decompression",
    ),
)
