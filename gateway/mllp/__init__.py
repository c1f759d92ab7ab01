"""HL7v2 over MLLP: https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF."""

from __future__ import annotations
