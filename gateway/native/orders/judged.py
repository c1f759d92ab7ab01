"""What the workflow refuses, in the words of this door: with where the order stands and what may follow."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from gateway import errors
from mappings.element import IllegalTransition, Refused, RoleRefused
from mappings.workflow.orders import State, next_of

FIELDS = (
    ("scheduledAt", "scheduled_date"),
    ("request-statusReason", "cancellation_reason"),
    ("ServiceRequest.status", "status"),
    ("DiagnosticReport.status", "status"),
)
"""What an expression of FHIR says -> the field of this door."""


@contextmanager
def judged(state: State, **names: str) -> Generator[None]:
    """Let what is refused within the block tell the present state and the allowed ones, and name fields of
    this door, ``names`` before others. Raises Problem.
    """
    try:
        yield
    except (IllegalTransition, Refused, RoleRefused, errors.Problem) as refusal:
        problem = errors.problem_of(refusal)
        problem.issues = [
            replace(issue, expression=_named(issue.expression, names)) for issue in problem.issues
        ]
        if problem.status in (403, 409, 422):
            problem.members = {"present": state.name, "allowed": list(next_of(state))}
        raise problem from refusal


def _named(expression: str | None, names: dict[str, Any]) -> str | None:
    found = next((field for part, field in FIELDS if part in (expression or "")), expression)
    return names.get(found or "", found)
