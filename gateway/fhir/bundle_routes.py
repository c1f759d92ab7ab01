"""The route of batch and transaction: https://hl7.org/fhir/R4/http.html#transaction."""

from __future__ import annotations

from litestar import Response, post

from gateway.fhir import answer, batch, wire
from gateway.fhir.ask import Ask, base_url, caller_of, in_thread, prefer_of, records_of, resource_body
from gateway.fhir.bundle_log import LOG, Log
from gateway.fhir.bundle_targets import Context


def _process(context: Context, body: bytes, prefer: str, log: Log | None) -> bytes:
    return batch.process(context, wire.decode(body), prefer, log)


@post("/", status_code=200)
async def process_bundle(request: Ask) -> Response[bytes]:
    """Batch and transaction: https://hl7.org/fhir/R4/http.html#transaction."""
    body = await resource_body(request)
    state = request.app.state
    told = (state.started, bool(state.settings.cors_origins))
    prefer = prefer_of(request)
    context = Context(records_of(request), caller_of(request), base_url(request), *told, prefer)
    log: Log | None = request.scope["state"].get(LOG)
    return answer.body(await in_thread(_process, context, body, prefer, log))


ROUTES = [process_bundle]
