"""The parts of a UDI carrier as GS1 writes it for people: device identifier, lot and serial number.

https://hl7.org/fhir/R4/device-definitions.html#Device.udiCarrier
"""

from __future__ import annotations

import re

PARTS = {"01": "udi_di", "10": "lot_no", "21": "serial_no"}
"""GS1 application identifier -> column of an implant."""
_PART = re.compile(r"\((\d{2,4})\)([^()]+)")


def parts_of_carrier(carrier: str) -> dict[str, str]:
    """Return what a carrier like ``(01)00844588003288(10)A213B1(21)1234`` tells; nothing for other forms."""
    found = {PARTS[key]: value.strip() for key, value in _PART.findall(carrier) if key in PARTS}
    return found if "udi_di" in found else {}
