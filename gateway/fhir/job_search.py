"""Searches that are answered later: what cannot be understood is refused at once.

https://hl7.org/fhir/R4/async.html
"""

from __future__ import annotations

from contextlib import suppress
from typing import NoReturn

from litestar import Response

from gateway.fhir import compartment, search
from gateway.fhir.ask import Ask, base_url, caller_of, form_of, in_thread, prefer_of, records_of
from gateway.fhir.jobs import accept, wished
from gateway.records import Caller, Records
from storage.search.query import Query

PLACE = ("resource_type", "fhir_id", "member")
"""The parameters of a path that tell what is searched."""


class Understood(Exception):
    """A search was understood, and is not run."""


class Unasked(Records):
    """Records in which a search ends where it would begin."""

    def __init__(self, records: Records) -> None:
        self.__dict__.update(records.__dict__)

    def search(self, caller: Caller, query: Query) -> NoReturn:  # noqa: ARG002
        """Raise Understood."""
        raise Understood


async def accept_search(request: Ask) -> Response[bytes] | None:
    """Accept a search as ``accept`` does, if it can be understood. Raises what a search raises."""
    if not wished(request):
        return None
    text = request.url.query if request.method == "GET" else await form_of(request)
    place = [request.path_params[name] for name in PLACE if name in request.path_params]
    who = (Unasked(records_of(request)), caller_of(request))
    await in_thread(see, *who, place, text, base_url(request), prefer_of(request))
    return await accept(request)


def see(records: Records, caller: Caller, place: list[str], text: str, base: str, prefer: str) -> None:
    """See that a search can be understood: of all types, of one, or of a compartment's members."""
    with suppress(Understood):
        if len(place) > 1:
            compartment.search(records, caller, place[0], place[1], place[2], text, base, prefer)
        else:
            search.search(records, caller, "".join(place), text, base, prefer)
