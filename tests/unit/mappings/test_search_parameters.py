"""Search parameters read off the lines: https://hl7.org/fhir/R4/searchparameter-registry.html."""

from __future__ import annotations

import pytest

from mappings.codecs import TEXT
from mappings.datatypes import ATTACHMENT, REFERENCE
from mappings.element import Mapping, many, one
from mappings.resources import REGISTRY
from mappings.search import SearchParameter, parameters
from storage.model.observation import Observation, ObservationComponent
from storage.model.order import ServiceOrder
from storage.model.patient import Patient
from storage.model.procedure import ProcedureBarrier
from storage.model.resource import Resource, ResourceMeta
from storage.model.shared import Coding, Concept, ContactPoint, Identifier, Reference, SearchString
from storage.search.query import Coded, Composed, Flag, Measured, Place, Refers, Span, Words, Written


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


def test_a_word_that_does_not_fit_its_line_is_refused() -> None:
    wrong = [
        many("photo", ATTACHMENT, search="photo:token"),
        many("link", REFERENCE, search="link:date"),
        one("name", Patient.display_name, TEXT, search="name:date"),
    ]
    for line in wrong:
        with pytest.raises(TypeError, match="cannot be searched"):
            parameters(Mapping(type="Patient", table=Patient, lines=(line,)))
