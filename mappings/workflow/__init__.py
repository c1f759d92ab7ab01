"""The states of orders, procedures and reports, and who may change them when: pure rules over rows.

https://hl7.org/fhir/R4/request.html#statemachine and https://hl7.org/fhir/R4/event.html#statemachine
"""

from __future__ import annotations
