"""What all pages have in common: templates, headers, how a refusal looks, who may send forms."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from litestar import Request, Response

from gateway import errors
from gateway.known import HEADER
from gateway.origins import is_own

HERE = Path(__file__)
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none';"
    " frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
"""Nothing runs in a page, nothing is fetched from elsewhere, and no browser keeps what it shows."""
HTML = "text/html"


@cache
def _templates() -> Environment:
    return Environment(
        loader=FileSystemLoader(HERE.with_name("templates")),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(template: str, status: int = 200, **told: Any) -> Response[bytes]:
    """Return a page: a template, filled. Every text is escaped."""
    made = _templates().get_template(template).render(**told)
    return Response(made.encode(), status_code=status, media_type=HTML, headers=HEADERS)


def style() -> Response[bytes]:
    """Return the style sheet of all pages."""
    made = HERE.with_name("static").joinpath("page.css").read_bytes()
    return Response(made, media_type="text/css", headers={"X-Content-Type-Options": "nosniff"})


def refused(request: Request[Any, Any, Any], problem: errors.Problem) -> Response[bytes]:  # noqa: ARG001
    """Return the page that tells of a problem."""
    made = page("problem.html", problem.status, title=problem.title(), issues=problem.issues)
    if isinstance(problem, errors.Unauthenticated):
        made.headers["WWW-Authenticate"] = HEADER
    return made


def see_sent_from_here(request: Request[Any, Any, Any]) -> None:
    """See that a form was sent by a page of this gateway: who is signed on to it could be made to send one by
    any other page. Raises Forbidden.
    """
    if not is_own(request.scope):
        raise errors.Forbidden("This is for forms of this gateway's own pages; programs have /api/v1/hl7.")
