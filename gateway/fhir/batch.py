"""batch: https://hl7.org/fhir/R4/http.html#transaction.

Each entry is a transaction of its own: what becomes of one is nothing to the others. They take effect in the
order of a transaction's methods, and are answered in the order in which they came.
"""

from __future__ import annotations

from typing import Any, cast

from gateway import errors
from gateway.fhir import bundle_answer, entries, transaction
from gateway.fhir.bundle_answer import Done
from gateway.fhir.bundle_targets import Context


def process(context: Context, bundle: dict[str, Any], prefer: str) -> bytes:
    """Process a batch or transaction and return the Bundle that answers it.

    ``prefer`` is the header. Raises Problem for a transaction that fails, and for what is no such Bundle.
    """
    kind = entries.kind_of(bundle)
    raws = cast("list[Any]", bundle.get("entry", []))
    if kind == "transaction":
        answers = list[Done | errors.Problem](
            transaction.run(context, entries.read_all(raws, context.base_url))
        )
    else:
        answers = batch(context, raws)
    return bundle_answer.response(kind, answers, bundle_answer.preference(prefer))


def batch(context: Context, raws: list[Any]) -> list[Done | errors.Problem]:
    """Return what became of each entry, or why nothing did."""
    order = sorted(range(len(raws)), key=lambda place: entries.ORDER.get(_method(raws[place]), 0))
    found = {place: _alone(context, raws[place], place) for place in order}
    return [found[place] for place in range(len(raws))]


def _method(raw: Any) -> str:
    try:
        return str(raw["request"]["method"])
    except (KeyError, TypeError, IndexError):
        return ""


def _alone(context: Context, raw: Any, place: int) -> Done | errors.Problem:
    try:
        return transaction.run(context, [entries.read(raw, place, "batch", context.base_url)])[0]
    except errors.Problem as problem:
        return problem
