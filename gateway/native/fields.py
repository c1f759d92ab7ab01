"""What the rules refuse, in the words of this door: an expression of FHIR becomes the field that was sent."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import replace

from gateway import errors
from mappings.element import IllegalTransition, Refused, RoleRefused


@contextmanager
def named(fields: Mapping[str, str]) -> Generator[None]:
    """Let what is refused within the block name fields of this door: ``fields`` are parts of expressions of
    FHIR and the field that each stands for, the first that fits counts. Raises Problem.
    """
    try:
        yield
    except (IllegalTransition, Refused, RoleRefused, errors.Problem) as refusal:
        raise naming(refusal, fields) from refusal


def naming(refusal: Exception, fields: Mapping[str, str]) -> errors.Problem:
    """Return a refusal as the problem that it is, which names fields of this door."""
    problem = errors.problem_of(refusal)
    problem.issues = [replace(issue, expression=_field(issue.expression, fields)) for issue in problem.issues]
    return problem


def _field(expression: str | None, fields: Mapping[str, str]) -> str | None:
    return next((field for part, field in fields.items() if part in (expression or "")), expression)
