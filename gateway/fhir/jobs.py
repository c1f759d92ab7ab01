"""Requests that are answered later: `Prefer: respond-async`, and the address where the answer is asked for.

https://hl7.org/fhir/R4/async.html. That page gives a finished request the manifest of a bulk export, which
suits none but exports. So the answer is the one that R5 gives to single interactions
(https://hl7.org/fhir/R5/async-bundle.html): a batch-response with one entry, which holds status and
resource. A request that failed is answered with its own status and OperationOutcome. The preference is
honoured where an answer may take its time; what is quick is answered at once, as a preference allows.
"""

from __future__ import annotations

import re
from datetime import datetime
from email.utils import format_datetime
from typing import Any

from litestar import Response, delete
from litestar.params import FromPath

from gateway.errors import Issue, Problem, operation_outcome
from gateway.fhir import answer, bundle_answer, media, wire
from gateway.fhir.ask import FORM, Ask, base_url, caller_of, get, in_thread, negotiate, prefer_of
from gateway.fhir.job_runner import SCHEME, Jobs
from storage.jobs import Job, State

STATUS = "_async"
"""Below the base: where requests that are answered later are asked for."""

NEEDED = ("content-type", "x-user")
_WISH = re.compile(r"(?:^|(?<=[,;\s]))respond-async(?:\s*[,;]\s*|\s*$)", re.IGNORECASE)
_LONGEST_PAUSE = 30


def jobs_of(request: Ask) -> Jobs:
    """Return the jobs that the app was made with."""
    return request.app.state.jobs


def wished(request: Ask) -> bool:
    """Tell whether a request asks to be answered later: https://www.rfc-editor.org/rfc/rfc7240#section-4.1."""
    return request.method != "HEAD" and _WISH.search(prefer_of(request)) is not None


async def accept(request: Ask) -> Response[bytes] | None:
    """Accept a request to be answered later, if it asks for that: it is kept before it is acknowledged.

    None where it does not. Raises NotAcceptable, UnsupportedMediaType, TooLarge.
    """
    if not wished(request):
        return None
    negotiate(request)
    sent_as = request.headers.get("content-type", "")
    if request.method == "POST" and sent_as and media.split(sent_as)[0] != FORM:
        media.body_format(sent_as)
    jobs = jobs_of(request)
    job = await _job(request, jobs)
    await in_thread(jobs.accept, job)
    jobs.wake()
    headers = _headers(request, str(job.id)) | {"Preference-Applied": "respond-async"}
    told = "The request is accepted; the answer will be at the Content-Location."
    return answer.body(_told(told), 202, headers)


async def _job(request: Ask, jobs: Jobs) -> Job:
    headers = {name: request.headers[name] for name in NEEDED if name in request.headers}
    headers["host"] = request.headers.get("host", request.url.netloc)
    headers[SCHEME] = request.url.scheme
    headers["prefer"] = _WISH.sub("", prefer_of(request))
    query = request.scope["query_string"].decode("latin-1")
    user = caller_of(request).user
    body = await request.body()
    return Job(jobs.new_id(), user, request.method, request.scope["path"], query, headers, body)


@get(f"/{STATUS}/{{job_id:str}}")
async def ask_answer(request: Ask, job_id: FromPath[str]) -> Response[bytes]:
    """How a request stands: 202 while it waits or is worked on, then its answer."""
    negotiate(request)
    jobs = jobs_of(request)
    state = await in_thread(jobs.state, job_id, caller_of(request).user)
    headers = _headers(request, job_id)
    if state.status is None or state.at is None:
        headers |= {"X-Progress": progress(state), "Retry-After": str(pause(state, jobs.clock()))}
        return answer.body(_told(f"The request is accepted: {progress(state)}."), 202, headers)
    headers["Expires"] = format_datetime((state.at + jobs.kept).replace(microsecond=0), usegmt=True)
    content = state.content or b""
    if state.status >= 400:
        return answer.body(content, state.status, headers)
    return answer.body(finished(state.status, content), 200, headers)


@delete(f"/{STATUS}/{{job_id:str}}", status_code=202)
async def cancel(request: Ask, job_id: FromPath[str]) -> Response[bytes]:
    """Cancel a request, or forget its answer: https://hl7.org/fhir/R4/async.html."""
    negotiate(request)
    await in_thread(jobs_of(request).cancel, job_id, caller_of(request).user)
    return answer.body(_told("The request is cancelled, and its answer forgotten."), 202)


def finished(status: int, content: bytes) -> bytes:
    """Return the Bundle that tells the answer of a finished request."""
    response = wire.encode({"status": bundle_answer.status(status)})
    resource = b'"resource":' + content + b"," if content else b""
    return bundle_answer.response("batch", [b"{" + resource + b'"response":' + response + b"}"], "")


def progress(state: State) -> str:
    """Return how far a request has come, in less than 100 characters."""
    if state.started_at is None:
        return "waiting"
    return f"in progress, {state.entries} entries done" if state.entries else "in progress"


def pause(state: State, now: datetime) -> int:
    """Return after how many seconds it is worth asking again: longer, the longer it takes already."""
    return min(_LONGEST_PAUSE, max(1, round((now - state.asked_at).total_seconds() / 4)))


def _headers(request: Ask, job_id: str) -> dict[str, str]:
    return {"Content-Location": f"{base_url(request)}/{STATUS}/{job_id}", "Cache-Control": "no-store"}


def _told(text: str) -> bytes:
    told: Any = operation_outcome(Problem(issues=[Issue("information", "informational", text)]))
    return wire.encode(told)


ROUTES = [ask_answer, cancel]
