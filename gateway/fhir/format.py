"""The format in which an answer leaves: what is stored is JSON, XML is made of it for those who ask.

https://hl7.org/fhir/R4/http.html#mime-type
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, cast

from litestar import Litestar, Request, Response
from litestar.response.base import ASGIResponse

from gateway.errors import NotAcceptable
from gateway.fhir import media, xml

LARGE = 32 * 1024
"""Bytes of JSON; to make XML of so many takes some milliseconds."""


class Answer(Response[bytes]):
    """An answer of FHIR JSON, which leaves as XML where the caller asks for that."""

    def to_asgi_response(
        self, app: Litestar | None, request: Request[Any, Any, Any], **values: Any
    ) -> ASGIResponse:
        """Return what is sent, in the format that the request asks for; JSON where it asks for neither."""
        self.headers["Vary"] = "Accept"
        made: Any = super()
        send = partial(made.to_asgi_response, app, request, **values)
        if not self.content or self.media_type != media.FULL["json"] or _format(request) != "xml":
            return send()
        self.media_type = media.FULL["xml"]
        pretty = request.query_params.get("_pretty") == "true"
        respell = partial(xml.from_json, self.content, pretty=pretty)
        if len(self.content) > LARGE:
            return cast("ASGIResponse", _Later(self, respell, send))
        self.content = respell()
        return send()


class _Later:
    """A large answer, made into XML in a thread: meanwhile others are served."""

    def __init__(
        self, answer: Answer, respell: Callable[[], bytes], send: Callable[[], ASGIResponse]
    ) -> None:
        self.answer = answer
        self.respell = respell
        self.send = send

    async def __call__(self, *asgi: Any) -> None:
        self.answer.content = await asyncio.to_thread(self.respell)
        await self.send()(*asgi)


FORMAT = "_format"
"""The parameter that names a format; a form tells it under the same name in the state of its request."""


def answer_format(request: Request[Any, Any, Any]) -> media.Format:
    """Return the format that a request asks for. Raises NotAcceptable."""
    return media.answer_format(request.headers.get("accept"), named_format(request))


def named_format(request: Request[Any, Any, Any]) -> str | None:
    """Return the format that a request names by the parameter, if any."""
    return request.query_params.get(FORMAT) or request.scope["state"].get(FORMAT)


def _format(request: Request[Any, Any, Any]) -> media.Format:
    try:
        return answer_format(request)
    except NotAcceptable:
        return "json"
