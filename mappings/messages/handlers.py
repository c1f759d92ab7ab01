"""The handlers of messages, by message code and trigger event (being filled).

https://hl7.org/fhir/uv/v2mappings/2024Sep/message_maps.html
"""

from __future__ import annotations

from collections.abc import Callable

from mappings.messages.workspace import Desk

HANDLERS: dict[tuple[str, str], Callable[[Desk], None]] = {}
