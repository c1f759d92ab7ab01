"""What a route tells of itself beside its path and its docstring: query, body, answer, refusals.

https://spec.openapis.org/oas/v3.1.0#operation-object
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

CALL = "call"
JSON = "application/json"


@dataclass(frozen=True)
class Call:
    """How a route is called. ``answer``, ``body`` and ``query`` are types as msgspec reads them, or several
    of which one fits; the fields of ``query`` are the parameters. ``otherwise`` are answers by status that
    are no problem details. ``examples`` are bodies by title, ``words`` what a parameter of the path may be.
    """

    answer: Any = None
    body: Any = None
    query: Any = None
    status: int = 200
    otherwise: Mapping[int, Any] = field(default_factory=dict[int, Any])
    examples: Mapping[str, Any] = field(default_factory=dict[str, Any])
    words: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    media_type: str = JSON
    body_type: str = JSON

    @property
    def types(self) -> tuple[Any, ...]:
        """Every type that is named."""
        return tuple(
            kind
            for told in (self.answer, self.body, self.query, *self.otherwise.values())
            for kind in options(told)
        )


def options(told: Any) -> tuple[Any, ...]:
    """Return the types of which one fits: none, one, or several."""
    if told is None:
        return ()
    return told if isinstance(told, tuple) else (told,)  # pyright: ignore[reportUnknownVariableType]


def call(**told: Any) -> dict[str, Call]:
    """Return the ``opt`` of a route that is described by the fields of Call. Raises TypeError for others."""
    return {CALL: Call(**told)}
