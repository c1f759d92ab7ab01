"""`/docs`, a page to look at, and `/docs/openapi.json`: the page's scripts come with the gateway.

https://spec.openapis.org/oas/v3.1.0
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from litestar import Request, Router, static_files
from litestar.openapi import OpenAPIConfig
from litestar.openapi.plugins import JsonRenderPlugin, OpenAPIRenderPlugin
from swagger_ui_bundle import swagger_ui_path

from gateway.health import RELEASE
from gateway.openapi import fhir, native

Object = dict[str, Any]

PATH = "/docs"
SHIPPED = Path(__file__).with_name("static")
SAFE = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""Headers of the page: nothing runs in it or is fetched by it but what the gateway itself gives."""


class Document(JsonRenderPlugin):
    """The description as JSON: what Litestar reads off the handlers, completed once."""

    def __init__(self) -> None:
        super().__init__(path="/openapi.json")
        self._made = b""

    def render(self, request: Request[Any, Any, Any], openapi_schema: Object) -> bytes:
        """Return the whole document."""
        if not self._made:
            self._made = msgspec.json.encode(fhir.add_to(native.complete(openapi_schema, request.app)))
        return self._made


class Page(OpenAPIRenderPlugin):
    """The description as a page."""

    def __init__(self) -> None:
        super().__init__(path="/")

    def render(self, request: Request[Any, Any, Any], openapi_schema: Object) -> bytes:  # noqa: ARG002
        """Return the page; its script fetches the document."""
        return (SHIPPED / "page.html").read_bytes()


def config() -> OpenAPIConfig:
    """Return what the app needs to describe itself under PATH."""
    return OpenAPIConfig(
        title="Suture",
        version=RELEASE,
        description="A FHIR R4 and HL7v2 gateway for surgical services.",
        use_handler_docstrings=True,
        render_plugins=[Page(), Document()],
        openapi_router=Router(
            PATH, route_handlers=[_assets()], include_in_schema=False, response_headers=SAFE
        ),
    )


def _assets() -> Router:
    """Return the route of what the page loads: its start, and the scripts and styles of Swagger UI."""
    made: Any = static_files
    return made.create_static_files_router("/assets", [SHIPPED, swagger_ui_path])
