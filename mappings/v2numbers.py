"""Numbers and units as HL7v2 writes them: NM, and the CWE of OBX-6.

https://hl7.org/fhir/uv/v2mappings/2024Sep/ConceptMap-datatype-nm-to-decimal.html
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from mappings.codecs import number
from mappings.v2types import code_system, compact

if TYPE_CHECKING:
    from mappings.er7 import Repetition

_NM = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)\Z", re.ASCII)


def decimal(text: str) -> Decimal:
    """Return the number of an NM (2.A.47 of HL7 2.5.1): ``05.100`` is 5.100.

    Raises ValueError for anything else.
    """
    if not _NM.match(text) or len(text) > 100:
        raise ValueError("not a number")
    return number(Decimal(text))


def units(repetition: Repetition | None) -> dict[str, Any]:
    """Return unit, system and code of OBX-6.

    The unit is the text of the CWE, else its code; system and code only where both are told.
    """
    if repetition is None:
        return {}
    code, text, name = (repetition.component(place).strip() for place in (1, 2, 3))
    told = {"system": code_system(name), "code": code} if code and name else {}
    return compact(unit=text or code, **told) or {}
