"""Runs the benchmarks: all, or those whose module or scenario holds a word; slowness is no failure."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.table import Table

from storage import migrate
from storage.embedded import start_embedded
from tests.benchmarks import Ratio, bench_gateway, bench_session


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument(
        "word", nargs="?", default="", help="a module (session, gateway) or part of a scenario"
    )
    parser.add_argument("--quick", action="store_true", help="shorter series: under 25 seconds in all")
    asked = parser.parse_args()
    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    if asked.word in "bench_session":
        with folder() as place, start_embedded(place) as server:
            migrate.upgrade(server.url)
            console.print(shown("session", bench_session.measure(server.url, quick=asked.quick)))
    if asked.word not in "bench_session" or not asked.word:
        word = "" if asked.word in "bench_gateway" else asked.word
        with folder() as place:
            bench_gateway.run(place, console, word, quick=asked.quick)


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
