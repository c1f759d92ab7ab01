"""What a change of one resource must obey and brings with it, by resource type: numbers, workflow, readiness."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.unit import Draft, Unit

Rule = Callable[["Unit", "Draft"], None]

RULES: dict[str, tuple[Rule, ...]] = {}
