"""The store of HL7v2 messages to look at: bytes, fields, result and warnings side by side, and replay."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode

from litestar import Response, Router, get, post
from litestar.params import FromPath

from gateway import errors
from gateway.mllp import replay, shown
from gateway.mllp.counts import reconcile
from gateway.native.message_forms import MessageFilters
from gateway.native.messages import key_of
from gateway.native.words import Ask, caller_of, query, records_of
from gateway.pages.destinations import destinations_page
from gateway.pages.page import page, refused, see_sent_from_here, style
from storage import messages
from storage.lexical import ENCODER
from storage.messages import DIRECTIONS, STATES, STATUSES

if TYPE_CHECKING:
    from gateway.mllp.replay import Outcome
    from gateway.records import Caller, Records

Values = dict[str, Any]
MOST_BYTES = 256 * 1024
"""Of so many bytes of a message the page shows all; longer ones are cut, and said to be."""
CHOICES = {"state": tuple(STATES), "status": STATUSES, "direction": DIRECTIONS}
TEXTS = ("type", "control_id", "sender", "peer", "patient_id", "date_from", "date_to")


@get("/messages")
async def list_page(request: Ask) -> Response[bytes]:
    """Show the messages that filters leave, and how all are accounted for."""
    asked = query(request, MessageFilters)
    return page("messages.html", **await asyncio.to_thread(_listed, request, asked))


@get("/messages/{message_id:str}")
async def message_page(request: Ask, message_id: FromPath[str]) -> Response[bytes]:
    """Show a message: bytes, fields, result and warnings side by side."""
    key = key_of(message_id)
    found = await asyncio.to_thread(_one, records_of(request), caller_of(request), key)
    return page("message.html", **found, outcome=None)


@post("/messages/{message_id:str}/replay", status_code=200)
async def replay_page(request: Ask, message_id: FromPath[str]) -> Response[bytes]:
    """Replay a message, or show what that would change."""
    see_sent_from_here(request)
    key, sent = key_of(message_id), parse_qs((await request.body()).decode("latin-1"))
    dry_run = sent.get("do") != ["replay"]
    outcome = await asyncio.to_thread(_replay, request, key, dry_run)
    if outcome.skipped is not None:
        raise errors.Conflict(outcome.skipped)
    if not dry_run:
        return Response(b"", status_code=303, headers={"Location": f"/pages/messages/{outcome.entry['id']}"})
    found = await asyncio.to_thread(_one, records_of(request), caller_of(request), key)
    return page("message.html", **found, outcome=outcome)


@get("/page.css", sync_to_thread=False)
def style_sheet() -> Response[bytes]:
    """Return the style sheet."""
    return style()


def _listed(request: Ask, asked: MessageFilters) -> Values:
    records, told = records_of(request), asked.filters()
    filters = shown.filters_of(told, records.site.zone)
    records.looks.note(caller_of(request), "Patient" if "patient_id" in filters else None)
    with records.store.connection() as connection:
        rows, total = messages.page(connection, filters, asked.skip, asked.page_size)
    counted = {name: value for name, value in filters.items() if name not in CHOICES}
    pages = -(-total // asked.page_size)
    return {
        "rows": rows,
        "total": total,
        "told": told,
        "choices": CHOICES,
        "texts": TEXTS,
        "counts": reconcile(records, counted),
        "number": asked.page,
        "pages": pages,
        "previous": _link(asked, asked.page - 1) if asked.page > 1 else None,
        "next": _link(asked, asked.page + 1) if asked.page < pages else None,
        "type_of": shown.type_of,
    }


def _link(asked: MessageFilters, number: int) -> str:
    return "/pages/messages?" + urlencode({**asked.told(), "page": number})


def _one(records: Records, caller: Caller, key: Any) -> Values:
    found = shown.show(records, caller, key)
    raw = found.row["raw"]
    return {
        "found": found,
        "row": found.row,
        "type": shown.type_of(found.row),
        "type_of": shown.type_of,
        "raw": shown.visible(raw[:MOST_BYTES]),
        "cut": len(raw) - MOST_BYTES,
        "unfit": replay.unfit(found.row),
        "warnings": [
            fate
            for _, fates in found.segments
            for fate in fates
            if fate.notes and fate.kind not in ("ignored", "refused")
        ],
        "as_text": _as_text,
    }


def _as_text(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else ENCODER.encode(value).decode()


def _replay(request: Ask, key: Any, dry_run: bool) -> Outcome:
    only_known = request.app.state.settings.mllp_only_known_peers
    records, caller = records_of(request), caller_of(request)
    (outcome,) = replay.replay(records, caller, [key], dry_run=dry_run, only_known=only_known)
    return outcome


PAGES = Router(
    path="/pages",
    route_handlers=[list_page, message_page, replay_page, destinations_page, style_sheet],
    include_in_schema=False,
    exception_handlers={errors.Problem: refused},
)
