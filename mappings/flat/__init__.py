"""The flat patient record, in: checked as a whole, then set where FHIR has each of its fields.

https://hl7.org/fhir/R4/patient.html. Which place each field stands for is told once, in
``storage.model.flat``; here are what may stand in it, and the elements that it becomes.
"""

from __future__ import annotations

from mappings.flat.asked import filters, sort
from mappings.flat.check import Wrong, check
from mappings.flat.shown import masked, typed

__all__ = ["Wrong", "check", "filters", "masked", "sort", "typed"]
