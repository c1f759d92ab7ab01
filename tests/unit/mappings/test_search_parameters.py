"""Search parameters read off the lines: https://hl7.org/fhir/R4/searchparameter-registry.html."""

from __future__ import annotations

import pytest

from mappings.codecs import TEXT
from mappings.datatypes import ATTACHMENT, REFERENCE
from mappings.element import Composite, Mapping, many, one
from mappings.resources import REGISTRY
from mappings.search import SearchParameter, parameters
from storage.model.document import DocumentRelation
from storage.model.observation import Observation, ObservationComponent
from storage.model.order import ServiceOrder
from storage.model.patient import Patient
from storage.model.procedure import ProcedureBarrier
from storage.model.resource import Resource, ResourceMeta
from storage.model.shared import Coding, Concept, ContactPoint, Identifier, Reference, SearchString
from storage.search.query import (
    Coded,
    Composed,
    Flag,
    Measured,
    Place,
    Refers,
    Span,
    Together,
    Words,
    Written,
)


def of(type_name: str, name: str) -> SearchParameter:
    return parameters(REGISTRY[type_name])[name]


@pytest.mark.parametrize("type_name", sorted(REGISTRY))
def test_the_words_of_each_type_fit_their_lines(type_name: str) -> None:
    known = parameters(REGISTRY[type_name])
    assert {"_id", "_lastUpdated", "_tag", "_profile", "_security", "_source"} <= known.keys()
    assert all(parameter.targets and parameter.expressions for parameter in known.values())


@pytest.mark.parametrize(
    ("type_name", "name", "target"),
    [
        ("Patient", "_id", Coded(Place(Resource), "fhir_id")),
        ("Patient", "_lastUpdated", Span(Place(Resource), "last_updated")),
        ("Patient", "_source", Written(Place(Resource), "meta_source")),
        ("Patient", "_profile", Written(Place(ResourceMeta, ("profile",)), "system", versioned=True)),
        ("Patient", "_tag", Coded(Place(ResourceMeta, ("tag",)), "code", "system")),
        ("Patient", "gender", Coded(Place(Patient), "gender")),
        ("Patient", "active", Flag(Place(Patient), "active")),
        ("Patient", "deceased", Flag(Place(Patient), "deceased_boolean", ("deceased",))),
        ("Patient", "birthdate", Span(Place(Patient), "birth_date_lo", "birth_date_hi")),
        (
            "Patient",
            "phone",
            Coded(Place(ContactPoint, ("telecom",), (("system", "phone"),)), "value_norm", "system"),
        ),
        (
            "Patient",
            "phonetic",
            Words(Place(SearchString, ("family", "given")), "value", "norm", "phon"),
        ),
        (
            "Patient",
            "language",
            Coded(
                Place(Coding, ("communication.language",)),
                "code",
                "system",
                whole=Place(Concept, ("communication.language",)),
            ),
        ),
        (
            "ServiceRequest",
            "requisition",
            Coded(
                Place(Identifier, ("requisition",)),
                "value",
                "system",
                whole=Place(Identifier, ("requisition",)),
                kind="requisition.type",
            ),
        ),
        ("Observation", "subject", Refers(Place(Reference, ("subject",)), "patient_id", Patient)),
        ("Observation", "patient", Refers(Place(Reference, ("subject",)), "patient_id", Patient, "Patient")),
        ("Observation", "date", Span(Place(Observation), "effective_lo", "effective_hi")),
        ("ServiceRequest", "workflow-status", Coded(Place(ServiceOrder), "status")),
        ("ServiceRequest", "order-type", Coded(Place(ServiceOrder), "order_type")),
        (
            "Procedure",
            "barrier",
            Coded(Place(ProcedureBarrier, guards=(("resolved_at", None),)), "kind"),
        ),
    ],
)
def test_a_line_and_its_word_give_the_target(type_name: str, name: str, target: object) -> None:
    assert of(type_name, name).targets == (target,)


def test_a_name_that_several_lines_declare_looks_at_all_of_them() -> None:
    tables = [target.place.table for target in of("Observation", "combo-value-quantity").targets]
    assert tables == [Observation, ObservationComponent]


def test_a_branch_of_a_choice_is_told_by_its_kind() -> None:
    target = of("Observation", "value-quantity").targets[0]
    assert isinstance(target, Measured)
    assert target.place.guards == (("value_kind", "Quantity"),)


def test_a_status_that_several_columns_tell_names_the_states_that_render_as_it() -> None:
    target = of("ServiceRequest", "status").targets[0]
    assert isinstance(target, Composed)
    assert (
        "active",
        (
            ("status", ("ordered", "scheduled", "in_progress")),
            ("on_hold", (False,)),
            ("record_state", ("normal",)),
        ),
    ) in [
        (code, tuple(sorted(case, key=lambda pair: ("status", "on_hold", "record_state").index(pair[0]))))
        for code, case in target.cases
    ]


def test_a_composite_looks_at_the_resource_itself_or_at_the_rows_of_an_array() -> None:
    found = of("Observation", "combo-code-value-quantity")
    assert found.type == "composite"
    assert found.expressions == ("Observation", "Observation.component")
    assert [part.name for part in found.parts] == ["combo-code", "combo-value-quantity"]
    code, of_component = (
        Coded(Place(Coding, (name,)), "code", "system", whole=Place(Concept, (name,)))
        for name in ("code", "component.code")
    )
    value, component_value = of("Observation", "combo-value-quantity").targets
    assert found.targets == (
        Together(Place(Observation), ((code,), (value,))),
        Together(Place(ObservationComponent), ((of_component,), (component_value,))),
    )


def test_a_relation_between_documents_is_one_row() -> None:
    (target,) = of("DocumentReference", "relationship").targets
    assert isinstance(target, Together)
    assert target.place == Place(DocumentRelation)
    assert target.parts[1] == (Coded(Place(DocumentRelation), "code"),)


@pytest.mark.parametrize(
    ("parts", "within"),
    [
        (("code", "component-code"), ("",)),
        (("component-code", "value-quantity"), ("component",)),
        (("code", "value-quantity"), ("", "component")),
    ],
)
def test_a_composite_whose_parts_are_not_of_one_item_is_refused(
    parts: tuple[str, ...], within: tuple[str, ...]
) -> None:
    known = REGISTRY["Observation"]
    wrong = Composite("odd", parts, within)
    with pytest.raises(TypeError, match="cannot be searched"):
        parameters(Mapping(type=known.type, table=known.table, lines=known.lines, composites=(wrong,)))


def test_texts_of_array_items_are_no_part_of_a_composite() -> None:
    known = REGISTRY["Coverage"]
    wrong = Composite("odd", ("class-type", "class-value"), ("class",))
    with pytest.raises(TypeError, match="cannot be searched"):
        parameters(Mapping(type=known.type, table=known.table, lines=known.lines, composites=(wrong,)))


def test_a_word_that_does_not_fit_its_line_is_refused() -> None:
    wrong = [
        many("photo", ATTACHMENT, search="photo:token"),
        many("link", REFERENCE, search="link:date"),
        one("name", Patient.display_name, TEXT, search="name:date"),
    ]
    for line in wrong:
        with pytest.raises(TypeError, match="cannot be searched"):
            parameters(Mapping(type="Patient", table=Patient, lines=(line,)))
