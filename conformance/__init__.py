"""Black-box suites for any FHIR base URL and any MLLP port. Imports nothing of Suture."""

from __future__ import annotations
