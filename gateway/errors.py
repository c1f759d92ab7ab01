"""The one error tree. Each problem knows what every door answers: HTTP status, FHIR issue code, HL7v2 codes.

Problem
├── BadRequest 400 invalid
│   ├── NotParseable             400 structure
│   ├── InvalidContent           400 structure
│   ├── UnknownParameter         400 not-supported
│   └── UnsupportedParameterValue 400 value
├── Unauthenticated              401 login
├── Forbidden                    403 forbidden
├── NotFound                     404 not-found
│   ├── UnsupportedType          404 not-supported
│   └── UnsupportedOperation     404 not-supported
├── MethodNotAllowed             405 not-supported
├── NotAcceptable                406 not-supported
├── Conflict                     409 conflict
│   ├── DuplicateKey             409 duplicate
│   ├── HasDependents            409 conflict
│   ├── IllegalTransition        409 conflict
│   └── Cancelled                409 conflict
├── Deleted                      410 deleted
├── PreconditionFailed           412 conflict
│   ├── StaleVersion             412 conflict
│   └── MultipleMatches          412 multiple-matches
├── TooLarge                     413 too-long
├── UnsupportedMediaType         415 not-supported
├── Unprocessable                422 processing
│   ├── CodeInvalid              422 code-invalid
│   ├── ValueInvalid             422 value
│   ├── Required                 422 required
│   ├── BusinessRule             422 business-rule
│   └── Invariant                422 invariant
├── Internal                     500 exception
└── Unavailable                  503 transient

Issues: https://hl7.org/fhir/R4/operationoutcome.html; error conditions: HL7v2 table 0357; native API:
RFC 9457.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple, cast

from mappings import element
from mappings.element import Refused
from storage import errors as stored

ISSUE_SYSTEM = "http://suture.example.org/fhir/CodeSystem/issue"
Severity = Literal["fatal", "error", "warning", "information"]
AckCode = Literal["AA", "AE", "AR"]


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing that is wrong: OperationOutcome.issue. `diagnostics` may quote a value: it is never
    logged.
    """

    severity: Severity
    code: str
    diagnostics: str
    expression: str | None = None
    details_code: str | None = None


class Fault(NamedTuple):
    """What an HL7v2 acknowledgement says of a problem: MSA-1, ERR-3 (table 0357), ERR-4 (0516), ERR-8."""

    ack_code: AckCode
    code: str
    severity: Literal["E", "F"]
    text: str


class Problem(Exception):
    """The request could not be served."""

    status: ClassVar[int] = 500
    issue_code: ClassVar[str] = "processing"
    ack_code: ClassVar[AckCode] = "AE"
    err3: ClassVar[str] = "207"
    details_code: ClassVar[str | None] = None

    def __init__(
        self,
        diagnostics: str | None = None,
        *,
        expression: str | None = None,
        details_code: str | None = None,
        issues: Iterable[Issue] | None = None,
    ) -> None:
        super().__init__()
        self.members: dict[str, Any] = {}
        """What problem details tell beside their own members (RFC 9457, 3.2)."""
        self.issues: list[Issue] = list(issues or ())
        if not self.issues:
            detail = details_code or self.details_code
            self.issues = [Issue("error", self.issue_code, diagnostics or self.title(), expression, detail)]

    @classmethod
    def title(cls) -> str:
        """The first line of the class's docstring: the message that holds nothing of the request."""
        return (cls.__doc__ or cls.__name__).partition("\n")[0]

    def __str__(self) -> str:
        """The title, not the diagnostics: an exception's text may be logged."""
        return self.title()


class BadRequest(Problem):
    """The request is not right."""

    status = 400
    issue_code = "invalid"
    ack_code = "AR"
    err3 = "102"


class NotParseable(BadRequest):
    """The content cannot be read at all."""

    issue_code = "structure"
    err3 = "100"


class InvalidContent(BadRequest):
    """The content does not have the form of the resource."""

    issue_code = "structure"


class UnknownParameter(BadRequest):
    """The request has a parameter that is not known."""

    issue_code = "not-supported"


class UnsupportedParameterValue(BadRequest):
    """A parameter has a value that cannot be used."""

    issue_code = "value"


class Unauthenticated(Problem):
    """The caller must say who they are."""

    status = 401
    issue_code = "login"
    ack_code = "AR"


class Forbidden(Problem):
    """The caller may not do this."""

    status = 403
    issue_code = "forbidden"
    ack_code = "AR"


class NotFound(Problem):
    """There is no such resource."""

    status = 404
    issue_code = "not-found"
    ack_code = "AR"
    err3 = "204"


class UnsupportedType(NotFound):
    """The type of resource or message is not supported."""

    issue_code = "not-supported"
    err3 = "200"


class UnsupportedOperation(NotFound):
    """There is no such operation."""

    issue_code = "not-supported"
    err3 = "200"


class MethodNotAllowed(Problem):
    """The method is not allowed here."""

    status = 405
    issue_code = "not-supported"
    ack_code = "AR"


class NotAcceptable(Problem):
    """None of the media types asked for can be given."""

    status = 406
    issue_code = "not-supported"
    ack_code = "AR"


class Conflict(Problem):
    """The request does not go together with what is stored."""

    status = 409
    issue_code = "conflict"
    ack_code = "AR"
    err3 = "205"


class DuplicateKey(Conflict):
    """An identifier or number that must be unique is already in use."""

    issue_code = "duplicate"


class HasDependents(Conflict):
    """Other resources still depend on this one."""

    details_code = "has-dependents"


class IllegalTransition(Conflict):
    """The change of state is not allowed from the present state."""

    ack_code = "AE"
    err3 = "207"
    details_code = "illegal-transition"


class Cancelled(Conflict):
    """The request was cancelled, or was answered already."""


class Deleted(Problem):
    """The resource was deleted."""

    status = 410
    issue_code = "deleted"
    ack_code = "AR"
    err3 = "204"


class PreconditionFailed(Problem):
    """A condition of the request does not hold."""

    status = 412
    issue_code = "conflict"
    err3 = "205"


class StaleVersion(PreconditionFailed):
    """The resource has changed since the version named by If-Match."""

    details_code = "stale-version"


class MultipleMatches(PreconditionFailed):
    """The criteria match more than one resource."""

    issue_code = "multiple-matches"
    ack_code = "AR"


class TooLarge(Problem):
    """The content is larger than this server takes."""

    status = 413
    issue_code = "too-long"


class UnsupportedMediaType(Problem):
    """The content is of a media type that this server does not read."""

    status = 415
    issue_code = "not-supported"
    ack_code = "AR"


class Unprocessable(Problem):
    """The content can be read but not accepted."""

    status = 422
    err3 = "102"


class CodeInvalid(Unprocessable):
    """A code is not one of those allowed."""

    issue_code = "code-invalid"
    err3 = "103"


class ValueInvalid(Unprocessable):
    """A value is not one that its element can have."""

    issue_code = "value"


class Required(Unprocessable):
    """Something required is missing."""

    issue_code = "required"
    err3 = "101"


class BusinessRule(Unprocessable):
    """A rule of the hospital's work is not met."""

    issue_code = "business-rule"
    err3 = "101"


class Invariant(Unprocessable):
    """An invariant of the resource does not hold."""

    issue_code = "invariant"


class Internal(Problem):
    """Something went wrong inside the gateway."""

    issue_code = "exception"

    def __init__(self, correlation_id: str = "") -> None:
        hint = f" Quote {correlation_id} when you report it." if correlation_id else ""
        super().__init__(self.title() + hint)
        self.correlation_id = correlation_id


class Unavailable(Problem):
    """The gateway cannot serve this just now; try again."""

    status = 503
    issue_code = "transient"
    err3 = "206"


_BY_ISSUE_CODE: dict[str, type[Problem]] = {
    "structure": InvalidContent,
    "invalid": BadRequest,
    "code-invalid": CodeInvalid,
    "value": ValueInvalid,
    "required": Required,
    "business-rule": BusinessRule,
    "invariant": Invariant,
}


def problem_with(issues: Sequence[Issue]) -> Problem:
    """One problem for all issues of a content: of the first kind with the lowest status, so 400 before
    422.
    """
    kinds = [_BY_ISSUE_CODE.get(issue.code, Unprocessable) for issue in issues]
    return min(kinds, key=lambda kind: kind.status)(issues=issues)


# What each exception of the lower layers means to a caller. One line per exception.


def _refused(exc: Refused) -> Problem:
    kind = NotParseable if exc.kind == "structure" else _BY_ISSUE_CODE[exc.kind]
    told = exc.allowed in exc.message
    return kind(
        exc.message if told else f"{exc.message}; allowed: {exc.allowed}", expression=exc.expression or None
    )


def _stale(exc: stored.Stale) -> Problem:
    return StaleVersion(f"{StaleVersion.title()} It is now at version {exc.current}, not {exc.seen}.")


def _illegal(exc: element.IllegalTransition) -> Problem:
    told = ", ".join(exc.allowed) or "nothing"
    text = f"{exc.present} → {exc.wanted}; allowed from {exc.present}: {told}"
    problem = IllegalTransition(text, expression=exc.expression)
    problem.members = {"present": exc.present, "allowed": list(exc.allowed)}
    return problem


def _not_their_role(exc: element.RoleRefused) -> Problem:
    return Forbidden(str(exc), expression=exc.expression)


def _duplicate(exc: stored.Duplicate) -> Problem:
    at = f" ({exc.system}|{exc.value})" if exc.value else ""
    return DuplicateKey(f"{DuplicateKey.title()} {exc.what}{at}")


def _dependents(exc: stored.Dependents) -> Problem:
    return HasDependents(f"{HasDependents.title()} Live dependents: {exc.count}")


_OF: dict[type[Exception], Callable[[Any], Problem]] = {
    Refused: _refused,
    stored.Stale: _stale,
    element.IllegalTransition: _illegal,
    element.RoleRefused: _not_their_role,
    stored.Duplicate: _duplicate,
    stored.Dependents: _dependents,
    stored.Dangling: lambda exc: Conflict(f"{Conflict.title()} {exc.constraint}".rstrip()),
    stored.NotThere: lambda _: NotFound(),
    stored.Gone: lambda _: Deleted(),
    stored.Unfit: lambda exc: ValueInvalid(f"{ValueInvalid.title()} {exc.constraint}".rstrip()),
    stored.Contended: lambda _: Unavailable(),
    stored.Unavailable: lambda _: Unavailable(),
}


def problem_of(exc: Exception, correlation_id: str = "") -> Problem:
    """The problem that any exception stands for; an unexpected one becomes Internal and tells nothing of
    itself.
    """
    if isinstance(exc, Problem):
        return exc
    cause = stored.known(exc)
    for kind in type(cause).__mro__:
        if render := _OF.get(cast("type[Exception]", kind)):
            return render(cause)
    return Internal(correlation_id)


# The three dialects.


def _issue(issue: Issue) -> dict[str, Any]:
    out: dict[str, Any] = {"severity": issue.severity, "code": issue.code}
    if issue.details_code:
        out["details"] = {"coding": [{"system": ISSUE_SYSTEM, "code": issue.details_code}]}
    if issue.diagnostics:
        out["diagnostics"] = issue.diagnostics
    if issue.expression:
        out["expression"] = [issue.expression]
    return out


def operation_outcome(problem: Problem) -> dict[str, Any]:
    """The problem as a FHIR OperationOutcome (https://hl7.org/fhir/R4/operationoutcome.html)."""
    return {"resourceType": "OperationOutcome", "issue": [_issue(issue) for issue in problem.issues]}


def problem_details(problem: Problem) -> dict[str, Any]:
    """The problem as RFC 9457 problem details, for the native API: status and issue codes are those of
    FHIR.
    """
    first = problem.issues[0]
    out: dict[str, Any] = {
        "type": f"{ISSUE_SYSTEM}#{first.details_code or problem.issue_code}",
        "title": problem.title(),
        "status": problem.status,
        "detail": first.diagnostics,
        "errors": [
            {"code": issue.code, "detail": issue.diagnostics, "expression": issue.expression}
            for issue in problem.issues
        ],
    }
    out |= problem.members
    if isinstance(problem, Internal) and problem.correlation_id:
        out["correlation_id"] = problem.correlation_id
    return out


def fault(problem: Problem) -> Fault:
    """The problem as fields of an ERR segment (HL7v2 2.5.1, 2.15.5); the text is the title, no patient
    data.
    """
    severity = "F" if problem.status == 500 else "E"
    return Fault(problem.ack_code, problem.err3, severity, problem.title())
