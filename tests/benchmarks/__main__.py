"""Runs the benchmarks: all, or those whose module or scenario holds a word; slowness is no failure."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.table import Table

from storage import migrate
from storage.embedded import start_embedded
from tests.benchmarks import Ratio, bench_bulk, bench_gateway, bench_search, bench_session


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "word",
        nargs="?",
        default="",
        help="a module (session, gateway, messages, search, bulk) or part of a scenario",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="shorter series, and neither 10,000 nor 100,000 patients: two minutes in all",
    )
    asked = parser.parse_args()
    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    for name, bench in _chosen(asked.word).items():
        with folder() as place:
            bench(place, console, "" if asked.word in name else asked.word, quick=asked.quick)


class Bench(Protocol):
    """Measures what a word chooses, over an empty folder, and prints it."""

    def __call__(self, folder: Path, console: Console, word: str, /, *, quick: bool) -> None: ...


def _session(folder: Path, console: Console, _: str, *, quick: bool) -> None:
    with start_embedded(folder) as server:
        migrate.upgrade(server.url)
        console.print(shown("session", bench_session.measure(server.url, quick=quick)))


def _chosen(word: str) -> dict[str, Bench]:
    """The modules whose names hold the word; if there are none, those with such a scenario."""
    all_of_them: dict[str, Bench] = {
        "bench_session": _session,
        "bench_gateway": bench_gateway.run,
        "bench_messages": bench_gateway.run_messages,
        "bench_search": bench_search.run,
        "bench_bulk": bench_bulk.run,
    }
    named = {name: bench for name, bench in all_of_them.items() if word in name}
    holding = {
        "bench_gateway": bench_gateway.matches(word),
        "bench_messages": bench_gateway.matches_message(word),
        "bench_search": bench_search.matches(word),
        "bench_bulk": bench_bulk.matches(word),
    }
    return named or {name: all_of_them[name] for name, holds in holding.items() if holds}


@contextmanager
def folder() -> Generator[Path]:
    """An empty folder; commits reach its disk, as they do in service."""
    made = Path(tempfile.mkdtemp(prefix="suture-bench-"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def shown(title: str, ratios: list[Ratio]) -> Table:
    """The ratios as a table."""
    table = Table("what", "ours, µs", "bare, µs", "ratio", title=title)
    for ratio in ratios:
        ours, bare = ratio.ours * 1e6, ratio.bare * 1e6
        table.add_row(ratio.what, f"{ours:,.1f}", f"{bare:,.1f}", f"{ours / bare:.2f}")
    return table


if __name__ == "__main__":
    main()
