"""Research cases of eight kinds."""

from __future__ import annotations

from migrations.words import (
    Part,
    attributes,
    code,
    day,
    drop,
    flag,
    index,
    integer,
    key,
    link,
    members,
    number,
    resource_key,
    table,
    text,
    unique,
)

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    create_rc_hiparthroplasty()
    create_rc_hipscope()
    create_rc_kneearthroplasty()
    create_rc_kneescope()
    create_rc_rotatorcuff()
    create_rc_shoulderarthroplasty()
    create_rc_shoulderscope()
    create_others()


def downgrade() -> None:
    drop(
        "rc_other",
        "rc_shoulderscope",
        "rc_shoulderarthroplasty",
        "rc_rotatorcuff",
        "rc_kneescope",
        "rc_kneearthroplasty",
        "rc_hipscope",
        "rc_hiparthroplasty",
    )


def case(sides: str) -> Part:
    """Make what all eight kinds of case have; ``sides`` can be operated on."""
    return [
        *resource_key(),
        *key("encounter_id", "encounter.id", required=True, at_commit=True),
        *link(procedure="procedure", surgeon="practitioner", trainee="practitioner"),
        *day("surgery_date"),
        *code("side", sides),
        *code("case_type", "primary revision conversion"),
        *code("trainee_role", "observed assisted performed_supervised performed_independent"),
        *integer("trainee_pgy", low=1, high=10),
        *integer("asa_class", low=1, high=6),
        *code("anesthesia", "general spinal epidural regional_block general_block spinal_block mac local"),
        *number("bmi_at_surgery"),
        *code("smoking", "never former current unknown"),
        *flag("diabetes", "antibiotic_prophylaxis"),
        *code("vte_prophylaxis", "none mechanical aspirin lmwh doac warfarin other"),
        *flag("tranexamic_acid"),
        *number("operative_minutes", "blood_loss_ml", low=0),
        *flag("intraop_complication"),
        *text("intraop_complication_text"),
        *number("los_days"),
        *code("discharge_to", "home home_health rehab snf other"),
        *flag("readmitted_30d", "readmitted_90d", "reoperated"),
        *day("reoperation_date"),
        *text("reoperation_reason"),
        *code("followup_status", "active complete lost withdrawn deceased"),
        *day("last_followup_date"),
        *text("registry_id", "notes"),
        *unique("registry_id"),
        *index("encounter_id"),
        *index("procedure_id"),
        *index("surgeon_id", "surgery_date_lo"),
        *index("side", "surgery_date_lo"),
    ]


def create_rc_hiparthroplasty() -> None:
    """Hip arthroplasty."""
    table(
        "rc_hiparthroplasty",
        case("left right"),
        code(
            "indication",
            "osteoarthritis avascular_necrosis inflammatory_arthritis dysplasia "
            "femoral_neck_fracture post_traumatic tumor failed_arthroplasty infection other",
        ),
        code("arthroplasty_kind", "total hemi_unipolar hemi_bipolar resurfacing"),
        code("approach", "anterior anterolateral lateral posterior superior transtrochanteric"),
        text("implant_manufacturer", "implant_type", "cup_model", "stem_model"),
        number("cup_size", low=36, high=80),
        number("stem_size"),
        code("stem_offset", "standard high extra_high"),
        flag("stem_collared"),
        code("stem_geometry", "single_taper dual_taper fit_and_fill anatomic modular cemented_polished"),
        code(
            "bearing_surface",
            "ceramic-on-polyethylene metal-on-polyethylene ceramic-on-ceramic metal-on-metal "
            "ceramicized-metal-on-polyethylene dual-mobility",
        ),
        number("head_size_mm", low=22, high=60),
        number("head_length_mm", low=-8, high=16),
        code("head_material", "cobalt_chrome ceramic ceramicized_metal stainless"),
        code("liner_material", "uhmwpe hxlpe vite_hxlpe ceramic metal"),
        code("liner_type", "neutral elevated face_changing constrained dual_mobility"),
        flag("dual_mobility"),
        code("fixation", "uncemented cemented hybrid reverse_hybrid"),
        integer("cup_screws"),
        flag("bone_graft", "cerclage"),
        number("cup_inclination_deg", "cup_anteversion_deg", "leg_length_change_mm", "offset_change_mm"),
        code("acetabular_defect", "I IIA IIB IIC IIIA IIIB"),
        code("femoral_defect", "I II IIIA IIIB IV"),
        code("dorr_type", "A B C"),
        integer("tonnis_grade", low=0, high=3),
        code("guidance", "manual fluoroscopy navigation robotic"),
        flag("capsule_repaired"),
        members("releases", "piriformis conjoint obturator_externus iliopsoas gluteus_maximus"),
    )


def create_rc_hipscope() -> None:
    """Hip arthroscopy."""
    table(
        "rc_hipscope",
        case("left right"),
        code(
            "indication",
            "fai_cam fai_pincer fai_mixed labral_tear chondral_lesion loose_bodies "
            "borderline_dysplasia iliopsoas_impingement ligamentum_teres_tear abductor_tear "
            "synovial_disease septic_arthritis other",
        ),
        number("alpha_angle_deg", "alpha_angle_post_deg", "lcea_deg", "acetabular_index_deg"),
        number("femoral_version_deg"),
        integer("tonnis_grade", low=0, high=3),
        number("joint_space_mm"),
        code("position", "supine lateral"),
        members("portals", "anterolateral mid_anterior dala posterolateral proximal"),
        code("capsulotomy", "interportal t_shaped periportal none"),
        code("capsule_closure", "none partial complete plication"),
        number("traction_minutes"),
        flag("labral_tear"),
        code("labral_tear_type", "seldes_1 seldes_2 combined hypoplastic ossified"),
        integer("labral_tear_start_clock", "labral_tear_end_clock", low=1, high=12),
        integer("acetabular_cartilage_grade", "femoral_cartilage_grade", low=0, high=4),
        code("ligamentum_teres", "intact partial_tear complete_tear hypertrophic"),
        flag("synovitis", "loose_bodies", "os_acetabuli"),
        code("labral_treatment", "none debridement repair augmentation reconstruction"),
        integer("labral_anchors", low=0, high=15),
        flag("femoroplasty", "acetabuloplasty", "chondroplasty", "microfracture", "loose_body_removal"),
        flag("iliopsoas_release", "teres_debridement", "bursectomy", "abductor_repair"),
        flag("subspine_decompression"),
    )


def create_rc_kneearthroplasty() -> None:
    """Knee arthroplasty."""
    table(
        "rc_kneearthroplasty",
        case("left right"),
        code(
            "indication",
            "osteoarthritis inflammatory_arthritis post_traumatic osteonecrosis tumor "
            "failed_arthroplasty infection other",
        ),
        code(
            "arthroplasty_kind",
            "total unicompartmental_medial unicompartmental_lateral patellofemoral bicompartmental",
        ),
        code(
            "approach",
            "medial_parapatellar midvastus subvastus lateral_parapatellar quadriceps_snip "
            "tubercle_osteotomy minimally_invasive",
        ),
        text("implant_manufacturer", "implant_model"),
        code("implant_type", "fixed_bearing mobile_bearing all_polyethylene_tibia"),
        code(
            "constraint_type",
            "cruciate_retaining posterior_stabilized cruciate_substituting medial_pivot "
            "bicruciate_retaining varus_valgus_constrained rotating_hinge",
        ),
        code("alignment", "mechanical kinematic restricted_kinematic functional anatomic"),
        number("preop_hka_deg", "postop_hka_deg", "tibial_slope_deg", "femoral_rotation_deg"),
        code("deformity", "varus valgus neutral"),
        code("fixation", "cemented uncemented hybrid"),
        text("femoral_size", "tibial_size"),
        number("insert_thickness_mm", low=5, high=30),
        code("insert_material", "uhmwpe hxlpe vite_hxlpe"),
        flag("patella_resurfaced"),
        number("patella_size_mm"),
        flag("femoral_stem", "tibial_stem", "augments"),
        code("aori_femur", "1 2A 2B 3"),
        code("aori_tibia", "1 2A 2B 3"),
        code("pcl_management", "retained resected absent"),
        members(
            "releases", "mcl_superficial mcl_deep posterior_capsule popliteus it_band lcl lateral_retinaculum"
        ),
        code("guidance", "manual patient_specific navigation robotic"),
        number("tourniquet_minutes"),
        flag("drain"),
        number("preop_flexion_deg", "preop_flexion_contracture_deg"),
        integer("kellgren_lawrence", low=0, high=4),
    )


def create_rc_kneescope() -> None:
    """Knee arthroscopy."""
    table(
        "rc_kneescope",
        case("left right"),
        code(
            "indication",
            "meniscal_tear acl_tear pcl_tear multiligament chondral_lesion loose_bodies "
            "patellar_instability septic_arthritis arthrofibrosis plica synovitis diagnostic "
            "other",
        ),
        code(
            "medial_meniscus",
            "intact vertical bucket_handle radial horizontal flap complex root ramp degenerative "
            "discoid absent",
        ),
        code(
            "lateral_meniscus",
            "intact vertical bucket_handle radial horizontal flap complex root ramp degenerative "
            "discoid absent",
        ),
        code("medial_meniscus_zone", "red_red red_white white_white"),
        code("lateral_meniscus_zone", "red_red red_white white_white"),
        code(
            "medial_meniscus_treatment",
            "none rasping partial_meniscectomy subtotal_meniscectomy repair_all_inside "
            "repair_inside_out repair_outside_in root_repair saucerization transplant",
        ),
        code(
            "lateral_meniscus_treatment",
            "none rasping partial_meniscectomy subtotal_meniscectomy repair_all_inside "
            "repair_inside_out repair_outside_in root_repair saucerization transplant",
        ),
        integer("meniscal_sutures"),
        code("acl", "intact partial_tear complete_tear graft_intact graft_torn absent"),
        code("pcl", "intact partial_tear complete_tear graft_intact graft_torn absent"),
        integer("mcl_grade", "lcl_grade", "lachman_grade", "pivot_shift_grade", low=0, high=3),
        integer("cartilage_patella", "cartilage_trochlea", "cartilage_mfc", low=0, high=4),
        integer("cartilage_lfc", "cartilage_mtp", "cartilage_ltp", low=0, high=4),
        number("largest_lesion_mm2"),
        flag("acl_reconstruction"),
        code("acl_graft", "btb hamstring quadriceps allograft hybrid"),
        number("graft_diameter_mm", low=5, high=14),
        code("femoral_tunnel", "anteromedial transtibial outside_in all_inside"),
        code("femoral_fixation", "button interference_screw cross_pin other"),
        code("tibial_fixation", "interference_screw button post staple other"),
        flag("lateral_tenodesis", "pcl_reconstruction", "mpfl_reconstruction", "collateral_surgery"),
        flag("chondroplasty", "microfracture", "osteochondral_graft", "cell_based_repair"),
        flag("loose_body_removal", "synovectomy", "lysis_of_adhesions", "lateral_release"),
        number("tourniquet_minutes"),
    )


def create_rc_rotatorcuff() -> None:
    """Repair of the rotator cuff."""
    table(
        "rc_rotatorcuff",
        case("left right"),
        code("onset", "acute chronic acute_on_chronic"),
        code(
            "supraspinatus",
            "intact tendinopathy partial_articular partial_bursal intrasubstance full_thickness",
        ),
        code(
            "infraspinatus",
            "intact tendinopathy partial_articular partial_bursal intrasubstance full_thickness",
        ),
        code(
            "subscapularis",
            "intact tendinopathy partial_articular partial_bursal intrasubstance full_thickness",
        ),
        code(
            "teres_minor",
            "intact tendinopathy partial_articular partial_bursal intrasubstance full_thickness",
        ),
        code("tear_size_class", "small medium large massive"),
        number("tear_ap_mm", "tear_ml_mm"),
        code("tear_shape", "crescent u_shaped l_shaped reverse_l massive_contracted"),
        integer("ellman_grade", "patte_stage", low=1, high=3),
        integer("lafosse_type", "hamada_grade", low=1, high=5),
        integer("goutallier_supraspinatus", "goutallier_infraspinatus", low=0, high=4),
        integer("goutallier_subscapularis", low=0, high=4),
        code("approach", "arthroscopic mini_open open"),
        code("position", "beach_chair lateral_decubitus"),
        code(
            "repair_technique",
            "single_row double_row transosseous_equivalent transosseous side_to_side "
            "partial_repair superior_capsular_reconstruction tendon_transfer debridement_only",
        ),
        integer("medial_anchors", "lateral_anchors"),
        code("anchor_material", "peek biocomposite all_suture metal"),
        code("augmentation", "none dermal_allograft bioinductive_collagen synthetic"),
        code("tissue_quality", "good fair poor"),
        code("repair_completeness", "complete partial irreparable"),
        code("biceps_treatment", "none tenotomy tenodesis_suprapectoral tenodesis_subpectoral debridement"),
        flag("acromioplasty", "distal_clavicle_excision", "capsular_release"),
        integer("acromion_type", low=1, high=3),
        number("preop_elevation_deg", "preop_external_rotation_deg"),
        flag("pseudoparalysis"),
    )


def create_rc_shoulderarthroplasty() -> None:
    """Shoulder arthroplasty."""
    table(
        "rc_shoulderarthroplasty",
        case("left right"),
        code("arthroplasty_type", "anatomic reverse hemi resurfacing"),
        code(
            "indication",
            "osteoarthritis cuff_tear_arthropathy massive_cuff_tear proximal_humerus_fracture "
            "fracture_sequelae avascular_necrosis inflammatory_arthritis instability_arthropathy "
            "failed_arthroplasty infection other",
        ),
        code("approach", "deltopectoral anterosuperior deltoid_split"),
        code("subscapularis_management", "tenotomy peel lesser_tuberosity_osteotomy sparing deficient"),
        flag("subscapularis_repaired"),
        code("biceps_treatment", "none tenotomy tenodesis_suprapectoral tenodesis_subpectoral debridement"),
        code("walch_type", "A1 A2 B1 B2 B3 C D"),
        code("favard_type", "E0 E1 E2 E3 E4"),
        number("glenoid_version_deg", "glenoid_inclination_deg"),
        code("seebauer_type", "IA IB IIA IIB"),
        code("glenoid_type", "none pegged keeled hybrid inset metal_backed baseplate"),
        code("glenoid_augment", "none half_wedge full_wedge step bone_graft custom"),
        text("glenoid_size"),
        integer("baseplate_screws"),
        number("glenosphere_mm", low=30, high=50),
        number("glenosphere_lateral_mm"),
        flag("glenosphere_eccentric"),
        text("implant_manufacturer", "implant_model"),
        code("humeral_stem", "stemless short standard long fracture"),
        text("stem_size"),
        code("humeral_fixation", "press_fit cemented"),
        number("neck_shaft_angle_deg", "humeral_retroversion_deg", "head_size_mm", "liner_thickness_mm"),
        flag("tuberosity_repair", "cuff_repaired", "tendon_transfer"),
        code("guidance", "manual patient_specific navigation mixed_reality robotic"),
    )


def create_rc_shoulderscope() -> None:
    """Shoulder arthroscopy."""
    table(
        "rc_shoulderscope",
        case("left right"),
        code(
            "indication",
            "anterior_instability posterior_instability multidirectional_instability slap_tear "
            "biceps_disease impingement adhesive_capsulitis acromioclavicular_disease "
            "loose_bodies calcific_tendinitis septic_arthritis diagnostic other",
        ),
        code("instability_pattern", "none anterior posterior inferior multidirectional"),
        integer("dislocations", "age_first_dislocation"),
        integer("beighton", low=0, high=9),
        integer("isis_score", low=0, high=10),
        number("glenoid_bone_loss_pct"),
        flag("hill_sachs"),
        code("track", "on_track off_track"),
        members("labral_lesions", "bankart bony_bankart alpsa glad hagl kim reverse_bankart slap panlabral"),
        code("slap_type", "I II III IV V_plus"),
        integer("labral_tear_start_clock", "labral_tear_end_clock", low=1, high=12),
        code("biceps_finding", "normal tendinopathy partial_tear subluxed ruptured"),
        code("cuff_finding", "intact partial full_thickness"),
        integer("glenoid_cartilage_grade", "humeral_cartilage_grade", low=0, high=4),
        members("labral_repair", "none anterior posterior superior inferior"),
        integer("anchors"),
        code("anchor_material", "peek biocomposite all_suture metal"),
        flag("capsular_plication", "interval_closure", "remplissage", "latarjet", "bone_graft"),
        flag("slap_debridement", "acromioplasty", "distal_clavicle_excision", "capsular_release"),
        flag("loose_body_removal", "calcium_removal"),
        code("biceps_treatment", "none tenotomy tenodesis_suprapectoral tenodesis_subpectoral debridement"),
        code("position", "beach_chair lateral_decubitus"),
    )


def create_others() -> None:
    """Any other operation."""
    table(
        "rc_other",
        case("left right bilateral not_applicable"),
        code(
            "specialty", "trauma spine hand elbow foot_ankle sports oncology pediatric vascular general other"
        ),
        text("procedure_name", required=True),
        text("cpt_code", "region", "indication", "approach", "findings", "procedure_performed"),
        text("classification_system", "classification_value", "fixation_type"),
        code("reduction_quality", "anatomic acceptable poor not_applicable"),
        flag("bone_graft", "implant_used"),
        text("implant_manufacturer", "implant_description"),
        attributes("attributes"),
    )
