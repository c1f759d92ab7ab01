"""Which message structures are applied, and by what.

https://hl7.org/fhir/uv/v2mappings/2024Sep/message_maps.html
"""

from __future__ import annotations

from collections.abc import Callable

from mappings.messages import (
    adt,
    adt_a39,
    document,
    mdm_t02,
    omg_o19,
    omi_o23,
    oml_o21,
    orm_o01,
    oru_r01,
    siu,
)
from mappings.messages.adt_events import EVENTS
from mappings.messages.workspace import Desk

HANDLERS: dict[tuple[str, str], Callable[[Desk], None]] = {
    **{("ADT", event): adt.apply for event in EVENTS},
    ("ADT", "A40"): adt_a39.apply,
    ("OMG", "O19"): omg_o19.apply,
    ("OMI", "O23"): omi_o23.apply,
    ("OML", "O21"): oml_o21.apply,
    **{("MDM", event): mdm_t02.apply for event in document.EVENTS},
    ("ORM", "O01"): orm_o01.apply,
    ("ORU", "R01"): oru_r01.apply,
    **{("SIU", event): siu.apply for event in siu.EVENTS},
}
"""Message code and trigger event (MSH-9.1 and 9.2) -> what applies it; each raises MessageRefused."""
