"""batch: https://hl7.org/fhir/R4/http.html#transaction.

Each entry is a transaction of its own: what becomes of one is nothing to the others. They take effect in the
order of a transaction's methods, and are answered in the order in which they came.
"""

from __future__ import annotations

from typing import Any, cast

from gateway import errors
from gateway.fhir import bundle_answer, entries, transaction
from gateway.fhir.bundle_answer import Done
from gateway.fhir.bundle_log import Log
from gateway.fhir.bundle_targets import Context
from storage.session import Session


def process(context: Context, bundle: dict[str, Any], prefer: str, log: Log | None = None) -> bytes:
    """Process a batch or transaction and return the Bundle that answers it.

    ``prefer`` is the header. A ``log`` is told what is done as it is done, and has entries of a batch left
    out that were done before. Raises Problem for a transaction that fails, and for what is no such Bundle.
    """
    kind = entries.kind_of(bundle)
    raws = cast("list[Any]", bundle.get("entry", []))
    shown = bundle_answer.preference(prefer)
    if kind == "transaction":

        def tell(session: Session, done: list[Done]) -> None:
            if log is not None:
                log.whole(session.raw, bundle_answer.response(kind, done, shown))

        done = transaction.run(context, entries.read_all(raws, context.base_url), tell)
        return bundle_answer.response(kind, done, shown)
    return bundle_answer.response(kind, batch(context, raws, shown, log), shown)


def batch(
    context: Context, raws: list[Any], shown: str, log: Log | None
) -> list[Done | errors.Problem | bytes]:
    """Return what became of each entry, or why nothing did."""
    before = log.before() if log is not None else {}
    order = sorted(range(len(raws)), key=lambda place: entries.ORDER.get(_method(raws[place]), 0))
    found = {
        place: before[place] if place in before else _alone(context, raws[place], place, shown, log)
        for place in order
    }
    return [found[place] for place in range(len(raws))]


def _method(raw: Any) -> str:
    try:
        return str(raw["request"]["method"])
    except (KeyError, TypeError, IndexError):
        return ""


def _alone(context: Context, raw: Any, place: int, shown: str, log: Log | None) -> Done | errors.Problem:
    def tell(session: Session, done: list[Done]) -> None:
        if log is not None:
            log.entry(session.raw, place, bundle_answer.entry(done[0], shown))

    try:
        return transaction.run(context, [entries.read(raw, place, "batch", context.base_url)], tell)[0]
    except errors.Cancelled:
        raise
    except errors.Problem as problem:
        return problem
