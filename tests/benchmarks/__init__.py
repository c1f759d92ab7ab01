"""What costs how much, on this machine: `python -m tests.benchmarks [WORD] [--quick]`.

`bench_session` measures the store by itself, `bench_gateway` a whole gateway from outside,
`bench_search` interactions and searches on 1,000 and 10,000 patients.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """Two ways to do one thing, in seconds each."""

    what: str
    ours: float
    bare: float


def seconds(work: Callable[[], object], rounds: int = 2000, tries: int = 5) -> float:
    """The time of one call of `work`: the best of `tries` series, the others had more noise."""
    return min(_series(work, rounds) for _ in range(tries)) / rounds


def _series(work: Callable[[], object], rounds: int) -> float:
    began = time.perf_counter()
    for _ in range(rounds):
        work()
    return time.perf_counter() - began
