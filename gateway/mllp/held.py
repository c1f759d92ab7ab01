"""How many bytes of messages are in hand over all connections, and who gives way when those are too many.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

from typing import Protocol


class Holder(Protocol):
    """A connection that holds bytes."""

    @property
    def unfinished(self) -> int:
        """How many bytes it has of a message that is not whole."""
        ...

    def give_way(self) -> None:
        """Let go of these, and refuse that message."""
        ...


class Held:
    """The bytes that connections hold: of messages that come, and of those that wait to be applied."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._of: dict[Holder, int] = {}
        self._total = 0

    def note(self, holder: Holder, count: int) -> None:
        """Note how much a connection holds now; where all hold too much, the largest unfinished message is
        refused, of several the newest.
        """
        self._total += count - self._of.get(holder, 0)
        if count:
            self._of[holder] = count
        else:
            self._of.pop(holder, None)
        while self._total > self._most and self._shed():
            pass

    def _shed(self) -> bool:
        # Of several the first is taken: that which holds something for the shortest time.
        largest = max(reversed(self._of), key=lambda holder: holder.unfinished, default=None)
        if largest is None or not largest.unfinished:
            return False
        self._total -= largest.unfinished
        self._of[largest] -= largest.unfinished
        largest.give_way()
        return True
