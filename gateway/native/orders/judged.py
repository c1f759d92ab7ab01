"""What the workflow refuses, in the words of this door: with where the order stands and what may follow."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from gateway import errors
from gateway.native.fields import naming
from mappings.element import IllegalTransition, Refused, RoleRefused
from mappings.workflow.orders import State, next_of

FIELDS = {
    "scheduledAt": "scheduled_date",
    "request-statusReason": "cancellation_reason",
    "ServiceRequest.status": "status",
    "DiagnosticReport.status": "status",
}
"""What an expression of FHIR says -> the field of this door."""


@contextmanager
def judged(state: State) -> Generator[None]:
    """Let what is refused within the block tell the present state and the allowed ones, and name fields of
    this door. Raises Problem.
    """
    try:
        yield
    except (IllegalTransition, Refused, RoleRefused, errors.Problem) as refusal:
        problem = naming(refusal, FIELDS)
        if problem.status in (403, 409, 422):
            problem.members = {"present": state.name, "allowed": list(next_of(state))}
        raise problem from refusal
