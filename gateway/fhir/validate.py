"""Whether a resource may be stored: https://hl7.org/fhir/R4/validation.html.

Two judges: the walk over the R4 definitions, which sees structure, values, required codes, references,
narrative and invariants, and fhir.resources, which sees the structure. What the second refuses the first
refuses too (a property test over every type shows it), and so a write asks the second only where there are
faults to be told in full; $validate asks both. All faults are told at once.
"""

from __future__ import annotations

from typing import Any, cast

from gateway.errors import Issue, problem_with
from gateway.fhir.structure import structural_issues
from gateway.fhir.walk import Walk, quoted


def check(
    resource: dict[str, Any],
    resource_type: str,
    resource_id: str | None = None,
    *,
    conditional_references: bool = False,
    part_of_another: bool = False,
    thorough: bool = False,
) -> None:
    """Return if `resource` is a valid R4 resource of `resource_type`; raise a Problem with each fault
    located.

    `resource_id` is the id in the URL of an update (https://hl7.org/fhir/R4/http.html#update): the content
    must have the same. `conditional_references` allows `Type?criteria`, which only a transaction may use;
    `part_of_another` allows `#id` of what is contained elsewhere. `thorough` asks fhir.resources even where
    nothing is wrong so far.
    The problem is 400 if the JSON form is wrong anywhere, else 422; each issue keeps its own code.
    """
    issues = _address_issues(resource, resource_type, resource_id) + _subsetted_issues(
        resource, resource_type
    )
    walk = Walk(conditional_references=conditional_references, part_of_another=part_of_another)
    if not issues or resource.get("resourceType") == resource_type:
        walk.resource(resource, (None, resource_type, -1))
        issues += walk.issues
        if issues or thorough:
            second = structural_issues(resource, resource_type)
            issues += [found for found in second if not _told(found, issues)]
    if issues:
        raise problem_with(issues)


_PARTS_LEFT_OUT = ("http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "SUBSETTED")


def _subsetted_issues(resource: dict[str, Any], resource_type: str) -> list[Issue]:
    """Whether the content says of itself that parts were left out: stored, it would lose them.

    https://hl7.org/fhir/R4/search.html#elements
    """
    meta: Any = resource.get("meta")
    tags: Any = cast("dict[str, Any]", meta).get("tag") if isinstance(meta, dict) else None
    for tag in cast("list[Any]", tags) if isinstance(tags, list) else ():
        told = cast("dict[str, Any]", tag) if isinstance(tag, dict) else {}
        if (told.get("system"), told.get("code")) == _PARTS_LEFT_OUT:
            text = "a subsetted resource cannot be stored: read it whole, and send that back changed"
            return [Issue("error", "business-rule", text, f"{resource_type}.meta.tag", "subsetted")]
    return []


def _address_issues(resource: dict[str, Any], resource_type: str, resource_id: str | None) -> list[Issue]:
    """Whether the content is what the URL says."""
    found: list[Issue] = []
    if resource.get("resourceType") != resource_type:
        text = f"resourceType is {quoted(resource.get('resourceType'))}; allowed here: {resource_type}"
        found.append(Issue("error", "invalid", text, f"{resource_type}.resourceType", "wrong-resource-type"))
    if resource_id is not None and resource.get("id") != resource_id:
        text = f"id is {quoted(resource.get('id'))}; the URL says {resource_id}"
        found.append(Issue("error", "invalid", text, f"{resource_type}.id", "wrong-id"))
    return found


def _told(found: Issue, issues: list[Issue]) -> bool:
    """Whether the walk has already said something of this place, or of what it stands in or holds."""
    place = found.expression or ""
    others = (issue.expression or "" for issue in issues)
    return any(place.startswith(other) or other.startswith(place) for other in others)
