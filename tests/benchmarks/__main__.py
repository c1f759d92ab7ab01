"""Runs the benchmarks whose module's name holds the given word, or all; never fails for being slow."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from rich.console import Console
from rich.table import Table

from storage import migrate
from storage.embedded import start_embedded
from tests.benchmarks import Ratio


def main(word: str) -> None:
    names = [path.stem for path in sorted(Path(__file__).parent.glob("bench_*.py")) if word in path.stem]
    folder = Path(tempfile.mkdtemp(prefix="suture-bench-"))
    try:
        # Commits reach the disk, as they do in service.
        with start_embedded(folder) as server:
            migrate.upgrade(server.url)
            for name in names:
                measure: Callable[[str], list[Ratio]] = import_module(f"tests.benchmarks.{name}").measure
                show(name, measure(server.url))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def show(name: str, ratios: list[Ratio]) -> None:
    table = Table("what", "ours, µs", "bare, µs", "ratio", title=name)
    for ratio in ratios:
        ours, bare = ratio.ours * 1e6, ratio.bare * 1e6
        table.add_row(ratio.what, f"{ours:,.1f}", f"{bare:,.1f}", f"{ours / bare:.2f}")
    Console().print(table)


main(sys.argv[1] if len(sys.argv) > 1 else "")
