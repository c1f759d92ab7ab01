"""The log of what strangers cause: no flood of connections may become a flood of lines.

https://www.hl7.org/documentcenter/public/wg/inm/mllp_transport_specification.PDF
"""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

LINES: Final = 10
"""How many lines there are of the same event, reason and address within so many ..."""
SECONDS: Final = 10.0
MOST_KNOWN: Final = 1000

_log = structlog.get_logger("gateway.mllp.server")


def _write(level: int, event: str, **told: Any) -> None:
    _log.log(level, event, **told)


@dataclass(slots=True)
class _Window:
    """What was told of one thing since when, and what was not."""

    begun: float
    told: int = 0
    untold: int = 0


class Quiet:
    """Writes to the log; of what comes too often it tells later how often it came (``untold``)."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, write: Callable[..., None] | None = None
    ) -> None:
        self._clock = clock
        self._write = write or _write
        self._windows: OrderedDict[tuple[str, object, str], _Window] = OrderedDict()

    def tell(self, level: int, event: str, remote: str, **told: Any) -> None:
        """Log an event that an address has caused, unless there were many of its like just now."""
        window = self._window((event, told.get("reason"), remote))
        if window.told >= LINES:
            window.untold += 1
            return
        window.told += 1
        if window.untold:
            told["untold"], window.untold = window.untold, 0
        self._write(level, event, remote=remote, **told)

    def _window(self, key: tuple[str, object, str]) -> _Window:
        now, found = self._clock(), self._windows.get(key)
        if found is None or now - found.begun >= SECONDS:
            found = _Window(now, untold=found.untold if found else 0)
            self._windows[key] = found
            self._windows.move_to_end(key)
            if len(self._windows) > MOST_KNOWN:
                self._windows.popitem(last=False)
        return found
