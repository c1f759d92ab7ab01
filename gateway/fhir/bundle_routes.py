"""The route of batch and transaction: https://hl7.org/fhir/R4/http.html#transaction."""

from __future__ import annotations

from litestar import Response, post

from gateway.fhir import answer, batch, wire
from gateway.fhir.ask import Ask, base_url, caller_of, in_thread, records_of, resource_body
from gateway.fhir.bundle_targets import Context


def _process(context: Context, body: bytes, prefer: str) -> bytes:
    return batch.process(context, wire.decode(body), prefer)


@post("/", status_code=200)
async def process_bundle(request: Ask) -> Response[bytes]:
    """Batch and transaction: https://hl7.org/fhir/R4/http.html#transaction."""
    body = await resource_body(request)
    context = Context(records_of(request), caller_of(request), base_url(request))
    return answer.body(await in_thread(_process, context, body, request.headers.get("prefer", "")))


ROUTES = [process_bundle]
