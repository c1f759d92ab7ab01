"""What listens: FHIR over REST, HL7v2 over MLLP, the native API, pages for people."""

from __future__ import annotations
