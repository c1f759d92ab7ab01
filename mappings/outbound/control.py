"""What a change of an order is called (ORC-1, table 0119): towards its performer, and towards its placer.

https://terminology.hl7.org/CodeSystem-v2-0119.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mappings.workflow.orders import OPEN

if TYPE_CHECKING:
    from collections.abc import Mapping

TO_PLACER: Final = {
    "NW": "SC",
    "XO": "XX",
    "SC": "SC",
    "HD": "OH",
    "RL": "OE",
    "CA": "OC",
    "RP": "RU",
    "RO": "RO",
}
"""What a performer is asked to do -> what whoever placed the order is told was done without being asked."""


def control(was: Mapping[str, Any], now: Mapping[str, Any], *, deleted: bool = False) -> str | None:
    """Return the order control code of a change from one row of an order to another; ``was`` is empty for a
    new order. None where there is nothing for the performer to do.
    """
    if not was:
        return "NW" if _is_open(now) and not deleted else None
    if deleted or not _is_live(now):
        return "CA" if _is_live(was) else None
    if not _is_live(was):
        return "NW" if _is_open(now) else None
    if bool(was["on_hold"]) != bool(now["on_hold"]):
        return "HD" if now["on_hold"] else "RL"
    if was["status"] != now["status"]:
        return None if now["status"] == "reported" else "SC"
    return "XO" if _is_open(now) else None


def _is_live(row: Mapping[str, Any]) -> bool:
    return row["status"] != "cancelled" and row["record_state"] in (None, "normal")


def _is_open(row: Mapping[str, Any]) -> bool:
    return _is_live(row) and row["status"] in OPEN
