"""The structural validator: the classes of fhir.resources, used to judge and never to read or write with.

https://hl7.org/fhir/R4/validation.html. The package has no R4 classes any more; those of R4B have the same
fields for the types that are kept in tables, and a test lists where they differ.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import cache
from itertools import islice
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from gateway.errors import Issue
from gateway.fhir.shapes import shape_of
from gateway.fhir.walk import MOST_ISSUES


@cache
def model_of(resource_type: str) -> type[BaseModel] | None:
    """The class that judges a type, imported when first asked for; None where R4B has no such type or has
    changed it so that it lacks elements of R4.
    """
    try:
        module = importlib.import_module(f"fhir.resources.R4B.{resource_type.lower()}")
    except ModuleNotFoundError:
        return None
    model = cast("type[BaseModel]", getattr(module, resource_type))
    known = {field.alias or name for name, field in model.model_fields.items()} | {"resourceType"}
    return model if known.issuperset(shape_of(resource_type).names) else None


# What pydantic calls an error, and what it means here: issue code and words. The rest is a matter of values.
_MEANINGS: dict[str, tuple[str, str]] = {
    "missing": ("required", "a required element is missing"),
    "model_validation_format": ("required", "a required element is missing"),
    "list_type": ("structure", "an array is needed: the element may stand more than once"),
    "model_type": ("structure", "an object is needed"),
    "string_type": ("structure", "text is needed"),
    "value_error": ("structure", "elements exclude each other, or do not go together"),
}


def _place(resource_type: str, location: tuple[int | str, ...]) -> str:
    parts = (f"[{part}]" if isinstance(part, int) else f".{part.removesuffix('__ext')}" for part in location)
    return resource_type + "".join(parts)


def _issues(resource_type: str, error: ValidationError) -> Iterator[Issue]:
    for detail in error.errors(include_url=False, include_context=False, include_input=False):
        kind = detail["type"]
        # The walk knows each element of R4. What only R4B does not know, such as valueMeta, is no fault.
        if kind != "extra_forbidden":
            words = kind.replace("_", " ")
            code, text = _MEANINGS.get(kind, ("value", f"the value does not fit its type ({words})"))
            yield Issue("error", code, text, _place(resource_type, detail["loc"]), kind.replace("_", "-"))


def structural_issues(resource: dict[str, Any], resource_type: str) -> list[Issue]:
    """What fhir.resources finds wrong with a resource; empty if nothing, or if it cannot judge the type."""
    model = model_of(resource_type)
    if model is None:
        return []
    try:
        model.model_validate(resource)
    except ValidationError as error:
        return list(islice(_issues(resource_type, error), MOST_ISSUES))
    except KeyError:  # a contained resource of a type that R4B does not have: the walk has judged it
        return []
    except Exception as error:  # noqa: BLE001  its own checks raise anything on odd content
        text = f"fhir.resources cannot read this as {resource_type} ({type(error).__name__})"
        return [Issue("error", "structure", text, resource_type, "unreadable")]
    return []
